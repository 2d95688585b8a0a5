"""The reader study: what is dealt, what is kept, what it shows, and what it does not give away."""

import csv
import random
import re

import numpy as np
import pytest

from zoo.errors import ZooError


@pytest.fixture
def attached(phantom, monkeypatch):
    from attached import Attached

    stand_in = Attached(None)
    stand_in.__dict__["_built"] = phantom  # a cached property
    return stand_in


@pytest.fixture
def play(hearts_gan, attached):
    """Opens a round of the GAN."""
    from reading import open_round

    return lambda mode, earlier=None: open_round(hearts_gan, "a-gan", mode, attached, earlier)


def is_in(image, images) -> bool:
    return any(np.array_equal(image, other) for other in images)


def test_single_images_are_what_the_truth_says(play, attached):
    from reading import ROUND, SINGLE, deal

    known = list(attached.hearts("test").set.images.permute(0, 2, 3, 1).numpy())
    game, truths = play(SINGLE), []
    for _ in range(ROUND):
        (image,) = deal(game, random.Random(len(truths))).shown
        truths.append(game.truth)
        assert is_in(image, known) == (game.truth == "real")
    assert set(truths) == {"real", "synthetic"}
    assert deal(game).shown == [] and game.left == 0


def test_pairs_have_one_of_each_on_either_side(play, attached):
    from reading import PAIRS, ROUND, deal

    known = list(attached.hearts("test").set.images.permute(0, 2, 3, 1).numpy())
    game, truths = play(PAIRS), []
    for _ in range(ROUND):
        left, right = deal(game, random.Random(len(truths))).shown
        truths.append(game.truth)
        assert (is_in(left, known), is_in(right, known)) == (game.truth == "left", game.truth == "right")
    assert set(truths) == {"left", "right"}


def test_rounds_cannot_be_foreseen(play):
    from reading import SINGLE

    first, second = play(SINGLE), play(SINGLE)
    assert first.reader != second.reader
    assert not all(np.array_equal(a, b) for a, b in zip(first.synthetic, second.synthetic, strict=True))


def test_pictures_do_not_tell_which_is_which(play):
    """Both kinds leave the server in the same form: size, mode and header of the PNG, no names, no metadata."""
    from pictures import figure
    from reading import SINGLE, deal

    forms = {}
    game = play(SINGLE)
    while game.left:
        (image,) = deal(game).shown
        html = figure(image, game.spacing_mm, "")
        bare = re.sub('base64,[^"]*', "", html)
        forms.setdefault(game.truth, set()).add((bare, image.dtype, image.shape, html.split("base64,")[1][:44]))
    assert len(forms["real"] | forms["synthetic"]) == 1  # 44 characters hold the header of a PNG


def test_answers_are_counted_and_kept(play, tmp_path):
    from reading import COLUMNS, SINGLE, Answers, answer, deal

    answers = Answers(tmp_path / "deep" / "answers.csv")
    game = play(SINGLE)
    for right in (True, False, True):
        deal(game)
        wrong = {"real": "synthetic", "synthetic": "real"}[game.truth]
        answers.add(answer(game, game.truth if right else wrong))
    rows = list(csv.DictReader(open(answers.path)))
    assert list(rows[0]) == COLUMNS and [row["correct"] for row in rows] == ["1", "0", "1"]
    assert {(row["model"], row["reference"], row["mode"]) for row in rows} == {("a-gan", "phantom", "one image")}
    assert [row["number"] for row in rows] == ["1", "2", "3"] and len({row["reader"] for row in rows}) == 1
    with pytest.raises(ZooError, match="expected one to each picture; start a round first"):
        answer(game, "real")
    deal(game)
    with pytest.raises(ZooError, match="expected real or synthetic"):
        answer(game, "left")


def test_the_score_goes_on_with_the_same_model_and_mode_alone(play):
    from reading import PAIRS, SINGLE

    first = play(SINGLE)
    first.answers = [True, False]
    again, other = play(SINGLE, first), play(PAIRS, first)
    assert (again.answers, again.reader) == ([True, False], first.reader)
    assert (other.answers, other.reader) == ([], first.reader)


def test_accuracy_has_wilsons_interval():
    from reading import accuracy

    # Wilson's interval for 8 of 10, as in Newcombe, 1998: 49.0 % to 94.3 %
    assert "8 of 10 right: 80%** (95 % interval 49% to 94%, which guessing explains)" in accuracy(
        [True] * 8 + [False] * 2
    )
    assert "which guessing hardly explains" in accuracy([True] * 20)
    assert "which guessing hardly explains" in accuracy([False] * 20)
    assert "No answers yet" in accuracy([])


def test_a_model_of_another_size_is_refused(dcgan, attached):
    from reading import SINGLE, open_round

    with pytest.raises(ZooError, match="16x16 pixels and the others have 64x64, which would give them away"):
        open_round(dcgan, "tiny", SINGLE, attached)
    with pytest.raises(ZooError, match="mode: expected one of one image, pairs"):
        open_round(dcgan, "tiny", "both", attached)


def test_models_that_work_in_steps_tell_how_far_they_are(conditional_ddpm):
    from reading import ROUND, synthetic_images

    news = []
    assert len(synthetic_images(conditional_ddpm, "tiny", news.append)) == ROUND
    assert news == [(1, 3), (2, 3), (3, 3)]


def test_the_file_is_named_by_a_variable(tmp_path, monkeypatch):
    from reading import Answers

    monkeypatch.setenv("ZOO_ANSWERS", str(tmp_path / "mine.csv"))
    assert Answers.from_environment().path == tmp_path / "mine.csv"
    monkeypatch.delenv("ZOO_ANSWERS")
    first, second = Answers.from_environment(), Answers.from_environment()
    assert first.path != second.path and first.uploads is None


def test_answers_go_to_a_dataset_of_the_hub(signed_in, tmp_path):
    from huggingface_hub import HfApi

    from reading import COLUMNS, Answers

    (tmp_path / "other.txt").write_text("mine")
    answers = Answers(tmp_path / "answers.csv", "zoo/answers", HfApi(endpoint=signed_in.url, token=signed_in.token))
    answers.add(dict.fromkeys(COLUMNS, "x"))
    answers.uploads.push_to_hub()
    answers.uploads.stop()
    held = signed_in.api.list_repo_files("zoo/answers", repo_type="dataset")
    assert "answers.csv" in held and "other.txt" not in held
    assert signed_in.api.repo_info("zoo/answers", repo_type="dataset").private
