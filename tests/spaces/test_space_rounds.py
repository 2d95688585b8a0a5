"""The reader study: balanced rounds, each answer once, and a file that holds them."""

import csv
import random
from collections import Counter

import numpy as np
import pytest

from zoo.errors import ZooError


def images(count: int, value: int, size: int = 8) -> list[np.ndarray]:
    return [np.full((size, size, 1), value + i, np.uint8) for i in range(count)]


@pytest.fixture
def start():
    """A round of a kind."""
    from rounds import Round, make_items

    def start(mode, seed=0):
        items = make_items(mode, images(10, 0), images(10, 100), random.Random(seed))
        return Round("model", "", "real", mode, items, 2.0)

    return start


def test_every_round_has_as_many_of_each(start):
    from rounds import MODELS, PAIRS, SCORE, SINGLE

    for mode in (SINGLE, PAIRS, MODELS, SCORE):
        for seed in range(5):
            game = start(mode, seed)
            assert set(Counter(item.truth for item in game.items).values()) == {5} and len(game.items) == 10
    orders = {tuple(item.truth for item in start(SINGLE, seed).items) for seed in range(5)}
    assert len(orders) > 1
    for item in start(PAIRS).items:
        left_is_real = item.shown[0][0, 0, 0] < 100
        assert (item.truth == "left") == left_is_real


def test_an_answer_counts_once_and_for_what_is_shown(start):
    from rounds import SINGLE

    game = start(SINGLE)
    token = game.item.token
    assert game.take("another", "real", 1.0) is None
    row = game.take(token, game.item.truth, 1.234)
    assert (row["number"], row["correct"], row["seconds"], row["model"]) == (1, 1, 1.23, "model")
    assert game.take(token, "real", 1.0) is None  # a double click
    game.next(token)
    game.next(token)
    assert game.at == 1 and game.take(token, "real", 1.0) is None  # an old button
    with pytest.raises(ZooError, match="answer: expected one of real, synthetic"):
        game.take(game.item.token, "perhaps", 1.0)


def test_a_score_is_neither_right_nor_wrong(start):
    from rounds import SCORE
    from tab_reader import page

    game = start(SCORE)
    for _ in range(10):
        row = game.take(game.item.token, "4", 0.5)
        assert row["correct"] == "" and row["answer"] == "4"
        game.next(game.item.token)
    assert game.answers == [] and "real 4.0, synthetic 4.0" in page(game)


def test_nothing_but_the_pixels_tells(start):
    """Real and synthetic pictures lie in the page in the same form, without names."""
    import re

    from rounds import SINGLE
    from tab_reader import page

    forms = set()
    game = start(SINGLE)
    while game.item:
        html = page(game)
        assert "truth" not in html and html.count('alt="The picture in question"') == 1
        forms.add(re.sub(r'base64,[^"]+|data-token="\w+"|\(\d+ of 10\)', "", html))
        game.take(game.item.token, "real", 0)
        game.next(game.item.token)
    assert len(forms) == 1


def test_what_would_give_them_away_is_refused():
    from rounds import PAIRS, SINGLE, make_items

    with pytest.raises(ZooError, match="images of 8x8 and of 16x16 pixels: their size would give them away"):
        make_items(SINGLE, images(10, 0), images(10, 0, 16))
    with pytest.raises(ZooError, match="a round takes 10 of each kind, there are 9"):
        make_items(PAIRS, images(9, 0), images(10, 0))
    with pytest.raises(ZooError, match="mode: expected one of"):
        make_items("riddles", images(10, 0), images(10, 0))


def test_the_interval_is_wilsons():
    from rounds import accuracy

    assert "No answers yet" in accuracy([])
    assert accuracy([True] * 8 + [False] * 2).startswith("8 of 10 right: 80% (95 % interval 49% to 94%")


def test_answers_are_appended_under_one_header(tmp_path, start):
    from rounds import COLUMNS, SINGLE, Answers

    file, game = tmp_path / "new" / "answers.csv", start(SINGLE)
    for _ in range(2):
        Answers(file).add(game.take(game.item.token, "real", 1.0))
        game.next(game.item.token)
    with open(file, newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == COLUMNS and [row["number"] for row in rows] == ["1", "2"]
    (tmp_path / "old.csv").write_text("time,answer\n")
    with pytest.raises(ZooError, match="ZOO_ANSWERS: old.csv has other columns"):
        Answers(tmp_path / "old.csv")


def test_the_file_is_named_by_the_environment(monkeypatch, tmp_path):
    from rounds import Answers

    monkeypatch.setenv("ZOO_ANSWERS", str(tmp_path / "mine.csv"))
    assert Answers.from_environment().path == tmp_path / "mine.csv"
    monkeypatch.delenv("ZOO_ANSWERS")
    first, second = Answers.from_environment(), Answers.from_environment()
    assert first.path != second.path and first.uploads is None


def test_answers_go_to_a_dataset_of_the_hub(signed_in, tmp_path):
    from huggingface_hub import HfApi

    from rounds import COLUMNS, Answers

    (tmp_path / "other.txt").write_text("mine")
    answers = Answers(tmp_path / "answers.csv", "zoo/answers", HfApi(endpoint=signed_in.url, token=signed_in.token))
    answers.add(dict.fromkeys(COLUMNS, "x"))
    answers.uploads.push_to_hub()
    answers.uploads.stop()
    held = signed_in.api.list_repo_files("zoo/answers", repo_type="dataset")
    assert "answers.csv" in held and "other.txt" not in held
    assert signed_in.api.repo_info("zoo/answers", repo_type="dataset").private
