import csv
from types import SimpleNamespace

import pytest
import torch
from diffusers import LCMScheduler

import compare_sampling
from common.sampling_curve import SAMPLERS, with_knees, write_curve
from zoo.errors import ZooError
from zoo.metrics.image_set import of_samples


@pytest.fixture(autouse=True)
def cheap_features(monkeypatch, coarse_pixels):
    monkeypatch.setattr(compare_sampling, "EfficientNetLite0Extractor", coarse_pixels)


@pytest.fixture
def model(tmp_path, conditional_ddpm) -> str:
    conditional_ddpm.unet.register_to_config(sample_size=32)  # too small for MS-SSIM otherwise
    conditional_ddpm.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def table_of(output: str) -> tuple[list[str], list[list[str]]]:
    head, _, *rows = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("|")]
    return head, rows


def test_every_combination_is_tried_and_the_best_stands_first(model, few_images, capsys):
    values = ["--num_inference_steps", "2", "3", "--guidance_scale", "1", "4"]
    compare_sampling.main([model, "--dataset", few_images, "--samples", "4", *values])
    head, rows = table_of(capsys.readouterr().out)
    assert head[:4] == ["num_inference_steps", "guidance_scale", "KID", "FD"] and head[5:] == ["samples/s"]
    assert head[4].startswith("MS-SSIM of pairs (training 0.")
    assert {tuple(row[:2]) for row in rows} == {("2", "1"), ("2", "4"), ("3", "1"), ("3", "4")}
    kids = [float(row[2]) for row in rows]
    assert kids == sorted(kids)
    assert len(set(kids)) == 4  # the settings do reach the samples


def test_a_figure_depends_on_its_settings_alone(model, few_images, capsys):
    options = [model, "--dataset", few_images, "--samples", "4", "--scheduler"]
    compare_sampling.main([*options, "DDIMScheduler", "--num_inference_steps", "3"])
    (alone,) = table_of(capsys.readouterr().out)[1]
    compare_sampling.main([*options, "DPMSolverMultistepScheduler", "DDIMScheduler", "--num_inference_steps", "3"])
    together = {row[0]: row[:3] for row in table_of(capsys.readouterr().out)[1]}
    assert together["DDIMScheduler"] == alone[:3]
    assert together["DPMSolverMultistepScheduler"][2] != alone[2]


def test_rings_and_walls_are_those_of_the_segmenters_labels():
    closed = torch.zeros(32, 32, dtype=torch.uint8)
    closed[8:24, 8:24] = 2  # myocardium around
    closed[12:20, 12:20] = 3  # the cavity
    torn = closed.clone()
    torn[14:18, 20:24] = 0
    segmenter = SimpleNamespace(
        masks=lambda images: torch.stack([closed, torn, torn, closed, closed])[: len(images)],
        network=SimpleNamespace(config=SimpleNamespace(pixel_spacing_mm=2.0)),
    )
    images = of_samples(torch.zeros(5, 1, 32, 32, dtype=torch.uint8))
    rings, wall = compare_sampling.rings_and_walls(images, segmenter)
    assert rings == pytest.approx(0.6)
    assert wall == pytest.approx(8 * 1.12, abs=0.5)  # four pixels of 2 mm; the mean of 1 / cos over a side is 1.12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--samples", "1"], "--samples: expected at least 2, got 1"),
        (["--scheduler", "UNet2DModel"], "expected a scheduler class of diffusers, got UNet2DModel"),
        (["--sampler", "probability_flow"], "unexpected keyword argument 'sampler'|sampler: unknown argument"),
    ],
)
def test_what_does_not_fit_is_refused(model, few_images, options, words):
    with pytest.raises(ZooError, match=words):
        compare_sampling.main([model, "--dataset", few_images, *options])


def test_the_curve_has_every_scheduler_and_the_turbo_model(model, few_images, conditional_ddpm, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(compare_sampling, "write_curve", lambda rows, folder: written.append((len(rows), rows, folder)))
    conditional_ddpm.scheduler = LCMScheduler.from_config(conditional_ddpm.scheduler.config)
    conditional_ddpm.register_to_config(family="turbo")
    conditional_ddpm.save_pretrained(tmp_path / "turbo")
    options = ["--dataset", few_images, "--samples", "4", "--num_inference_steps", "2", "4"]
    curve = ["--turbo", str(tmp_path / "turbo"), "--curve", str(tmp_path / "curve")]
    compare_sampling.main([model, *options, *curve])
    assert [count for count, *_ in written] == list(range(1, 17))  # a point that fails leaves those before it
    write_curve(*written[-1][1:])  # once, for a picture takes longer than a point
    rows = list(csv.DictReader((tmp_path / "curve" / "curve.csv").read_text().splitlines()))
    found = [(row["sampler"], int(row["num_inference_steps"])) for row in rows]
    assert found == [*((name, steps) for name in SAMPLERS for steps in (2, 4)), *(("turbo", n) for n in (1, 2, 3, 4))]
    calls = {(row["sampler"], row["num_inference_steps"]): int(row["network_calls"]) for row in rows}
    assert calls["DDIM", "4"] == 4 and calls["Heun", "4"] == 7 and calls["turbo", "3"] == 3
    assert len({row["kid"] for row in rows}) == len(rows)  # every point is another sample set
    assert all(float(row["seconds_per_16_images"]) > 0 for row in rows)
    assert (tmp_path / "curve" / "curve.png").stat().st_size > 1000


def test_the_knee_is_the_fewest_steps_that_are_nearly_best():
    kids = {"a": [0.2, 0.104, 0.1, 0.12], "b": [0.3, 0.2, 0.1, 0.05], "c": [0.1, -0.01, -0.02, 0.0]}
    rows = [
        {"sampler": name, "network_calls": 5 * (number + 1), "kid": kid}
        for name, own in kids.items()
        for number, kid in enumerate(own)
    ]
    knees = {row["sampler"]: row["network_calls"] for row in with_knees(rows) if row["knee"]}
    assert knees == {"a": 10, "b": 20, "c": 15}


def test_a_model_without_steps_has_no_curve(dcgan, few_images, tmp_path):
    dcgan.save_pretrained(tmp_path / "gan")
    with pytest.raises(ZooError, match="--curve: a GANPipeline has no scheduler"):
        compare_sampling.main([str(tmp_path / "gan"), "--dataset", few_images, "--curve", str(tmp_path / "curve")])
