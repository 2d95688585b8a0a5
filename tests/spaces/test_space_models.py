"""What the tabs show of models: the way out of the noise, walks, codes, and all of them side by side."""

import json
import re

import numpy as np
import pytest
import torch

from zoo.errors import ZooError
from zoo.pipelines import sample_generators


def pixels(images) -> np.ndarray:
    return (np.asarray(images) * 255).round().astype(np.uint8)


@pytest.mark.parametrize("kind", ["conditional_ddpm", "unconditional_ddpm", "latent_diffusion", "score_model"])
def test_denoising_ends_at_the_sample(request, kind):
    from asking import ask
    from denoising import denoise

    pipe, news = request.getfixturevalue(kind), []
    asked = ask(model="tiny", seed=4, steps=5, guidance=1.0)
    moments = denoise(pipe, asked, news.append)
    image = pipe(**asked.call(pipe, [0]), output_type="np").images[0]
    np.testing.assert_array_equal(moments[-1][1], pixels(image))
    assert [step for step, _ in moments] == [step for step, _, _ in news]
    assert not np.array_equal(moments[0][1], moments[-1][1])
    assert all(picture.shape == moments[-1][1].shape for _, picture in moments)


def test_denoising_takes_classes(conditional_ddpm):
    from asking import ask
    from denoising import denoise

    def last(pathology, phase=None):
        classes = {"pathology": pathology} | ({"phase": phase} if phase else {})
        asked = ask(model="tiny", classes=classes, steps=3)
        return denoise(conditional_ddpm, asked, lambda news: None)[-1][1]

    expected = conditional_ddpm(
        class_labels="HCM", phase="ES", generator=sample_generators(0, [0]), output_type="np", num_inference_steps=3
    )
    np.testing.assert_array_equal(last("HCM", "ES"), pixels(expected.images[0]))
    with pytest.raises(ZooError, match="unknown class 'XYZ'"):
        last("XYZ")


def test_moments_are_spread_evenly_with_both_ends():
    from denoising import MAX_MOMENTS, moments_of

    assert moments_of(3) == [0, 1, 2]
    many = moments_of(100)
    assert (len(many), many[0], many[-1]) == (MAX_MOMENTS, 0, 99)


def test_slerp_keeps_to_the_shell_and_hits_both_ends():
    from walking import slerp

    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn(2, 50, generator=generator)
    points = slerp(start, end, 5)
    torch.testing.assert_close(points[0], start)
    torch.testing.assert_close(points[-1], end)
    lengths = points.norm(dim=1)
    torch.testing.assert_close(lengths, torch.linspace(lengths[0], lengths[-1], 5))
    torch.testing.assert_close(slerp(start, start, 3), start.expand(3, -1))


@pytest.mark.parametrize("kind", ["dcgan", "acgan", "infogan", "cvae"])
def test_a_walk_leads_from_one_sample_to_the_other(request, kind):
    from walking import walk

    pipe = request.getfixturevalue(kind)
    images = walk(pipe, (3, 8), count=5)
    first, last = (pipe(1, generator=sample_generators(seed, [0]), output_type="np").images[0] for seed in (3, 8))
    np.testing.assert_array_equal(images[0], pixels(first))
    if kind not in ("acgan", "infogan"):  # there, class and category stay those of the start
        np.testing.assert_array_equal(images[-1], pixels(last))
    steps = np.abs(np.diff(images.astype(float), axis=0)).mean((1, 2, 3))
    assert (steps > 0).all()


def test_a_walk_keeps_to_a_pathology(acgan):
    from walking import walk

    images = walk(acgan, (3, 8), "HCM", count=3)
    ends = [
        acgan(class_labels="HCM", phase=phase, generator=sample_generators(3, [0]), output_type="np").images[0]
        for phase in ("ED", "ES")
    ]
    assert any(np.array_equal(images[0], pixels(end)) for end in ends)
    with pytest.raises(ZooError, match="unknown class 'XYZ'"):
        walk(acgan, (0, 1), "XYZ")


def test_codes_reach_the_infogan(infogan):
    from walking import with_codes

    image = with_codes(infogan, 2, 1, [0.5, -1.0])
    expected = infogan(generator=sample_generators(2, [0]), category=1, codes=[0.5, -1.0], output_type="np").images[0]
    np.testing.assert_array_equal(image, pixels(expected))
    assert not np.array_equal(image, with_codes(infogan, 2, 1, [0.5, 1.0]))
    with pytest.raises(ZooError, match="codes: expected 2 numbers, got 1"):
        with_codes(infogan, 2, 1, [0.5])


def answers(offered, classes, seed=0) -> list:
    from comparing import Answer, ask_models

    return [item for item in ask_models(offered, offered.names, classes, seed) if isinstance(item, Answer)]


def test_one_request_goes_to_every_model(pair):
    from catalogue import Catalogue
    from comparing import sheet

    offered = Catalogue.from_environment()
    gan, ddpm = answers(offered, {"pathology": "HCM"}, 5)
    assert (gan.name, ddpm.name) == ("tiny-dcgan", "tiny-ddpm")
    assert gan.words.startswith("knows no classes · ") and ddpm.words.startswith("HCM · ")
    expected = offered.load("tiny-ddpm")(
        4, class_labels="HCM", generator=sample_generators(5, range(4)), output_type="np"
    )
    np.testing.assert_array_equal(ddpm.result.images, expected.images)
    assert sheet([gan, ddpm]).width > 4 * 128


def test_a_model_that_cannot_be_loaded_says_so_beside_the_others(pair):
    from catalogue import Catalogue

    next((pair / "tiny-dcgan").rglob("*.safetensors")).unlink()
    gan, ddpm = answers(Catalogue.from_environment(), {"pathology": "RV"})
    assert gan.result is None and "no weights" in gan.words
    assert ddpm.result is not None and ddpm.words.startswith("any class · ")


def test_results_are_a_table_and_a_figure(pair, metrics):
    from catalogue import Catalogue
    from comparing import NOTHING, read_results

    offered = Catalogue.from_environment()
    assert read_results(offered).table == NOTHING
    (pair / "tiny-ddpm" / "metrics.json").write_text(json.dumps(metrics))
    found = read_results(offered)
    names = re.findall(r'<tr class="(\w+)"><th scope="row">([^<]*)<', found.table)
    references = [("reference", name) for name in ("real images", "mean image", "copy of training images")]
    assert names == [*references, ("model", "tiny-ddpm")]
    assert '<td data-rank="85.0">85.0 [83.0, 87.0] (× 2.50)</td>' in found.table
    assert '<td data-rank="">–</td>' in found.table and "Intervals are 95 %" in found.table
    assert found.figure.ndim == 3 and found.figure.std() > 0
    assert read_results(offered) is found  # drawn once
    (pair / "tiny-ddpm" / "metrics.json").write_text("{")
    assert read_results(offered).table.startswith("<p>No table: ") and read_results(offered).figure is None


def test_results_name_a_model_of_the_hub_by_its_id(pair, metrics, monkeypatch):
    import comparing
    from catalogue import Catalogue

    snapshot = (pair / "tiny-ddpm").rename(pair / "0123abcd")  # the Hub's cache names folders by commit
    (snapshot / "metrics.json").write_text(json.dumps(metrics))
    monkeypatch.setattr("catalogue.find_folder", lambda source, files: snapshot)
    found = comparing.read_results(Catalogue({"zoo/ddpm-acdc-64": "zoo/ddpm-acdc-64"}))
    assert '<th scope="row">zoo--ddpm-acdc-64</th>' in found.table


def test_columns_say_what_is_better_and_rank_by_it():
    from comparing import HIGH, LOW, NEAR, goal, rank
    from zoo.cards.columns import COLUMNS

    columns = {column.key: column for column in COLUMNS}
    goals = {"fd_efficientnet_lite0": LOW, "share_copies": LOW, "samples_per_second_batch_16": HIGH, "ms_ssim": NEAR}
    assert {key: goal(columns[key]) for key in goals} == goals
    assert goal(columns["coverage_efficientnet_lite0"]) == HIGH and goal(columns["parameters"]) == LOW
    groups = {"diversity": {"ms_ssim": {"value": 0.3}, "ms_ssim_train": {"value": 0.25}}, "cost": {}}
    assert float(rank(columns["ms_ssim"], groups)) == pytest.approx(0.05)
    assert rank(columns["samples_per_second_batch_16"], groups) == ""
