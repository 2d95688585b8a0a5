from types import SimpleNamespace

import pytest
import torch

import compare_sampling
from zoo.errors import ZooError
from zoo.metrics.image_set import of_samples


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
