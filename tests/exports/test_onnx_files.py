"""ONNX gives what torch gives, or nothing is written."""

import json

import numpy as np
import pytest
from command_line import run

from zoo.errors import ZooError
from zoo.exports import export_onnx, onnx_files
from zoo.pipelines import sample_generators

QUICK = ["dcgan", "conditional_ddpm"]  # one pass, and steps; tracing takes seconds each
OTHERS = ["acgan", "infogan", "cvae", "unconditional_ddpm", "anatomy", "latent_diffusion", "score_model", "hearts"]
COMPONENTS = {
    "cvae": {"vae"},
    "latent_diffusion": {"vae", "unet"},
    "hearts": {"anatomy", "unet", "unet_2"},
    **dict.fromkeys(("dcgan", "acgan", "infogan"), {"generator_model"}),
}


@pytest.mark.parametrize("kind", [*QUICK, *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)])
def test_every_network_that_draws_gives_what_torch_gives(kind, request, tmp_path):
    request.getfixturevalue(kind).save_pretrained(tmp_path / "model")
    about = export_onnx(tmp_path / "model", tmp_path / "onnx")
    assert set(about["networks"]) == COMPONENTS.get(kind, {"unet"})
    files = {path.name for path in (tmp_path / "onnx").iterdir() if path.is_file()}
    assert files == {*(f"{name}.onnx" for name in about["networks"]), "README.md", "LICENSE", "export.json"}
    assert json.loads((tmp_path / "onnx" / "export.json").read_text()) == about
    assert all(0 <= network["largest_difference"] <= 1e-3 for network in about["networks"].values())


@pytest.fixture
def model(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_command_makes_the_pictures_of_the_pipeline(model, dcgan, tmp_path):
    import onnxruntime

    code, output, error = run("export", model, "--format", "onnx", "--output", tmp_path / "onnx")
    assert (code, error) == (0, "")
    assert output.startswith(f"{tmp_path / 'onnx' / 'generator_model'}.onnx: differs from torch by ")
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "generator_model.onnx")
    asked = {"generator": sample_generators(0, range(70)), "output_type": "latent"}
    latents = dcgan(70, **asked).images
    (images,) = session.run(None, {"latents": latents.numpy()})
    wanted = dcgan(70, latents=latents, output_type="np").images
    assert np.abs((images.transpose(0, 2, 3, 1) / 2 + 0.5).clip(0, 1) - wanted).max() < 1 / 255
    code, _, error = run("export", model, "--format", "onnx", "--output", tmp_path / "onnx")
    assert code == 2 and "say --overwrite" in error


def test_an_export_that_differs_is_refused_and_leaves_nothing(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "TOLERANCE", -1.0)
    with pytest.raises(ZooError, match="generator_model.onnx: differs from torch by .*, expected at most -1") as caught:
        export_onnx(model, tmp_path / "onnx")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_onnx_cannot_hold_is_refused(style_transfer, tmp_path):
    style_transfer.save_pretrained(tmp_path / "model")
    with pytest.raises(ZooError, match="a model of family style-transfer works by their gradients"):
        export_onnx(tmp_path / "model", tmp_path / "onnx")


def test_a_missing_extra_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None)
    with pytest.raises(ZooError, match=r"onnx: not installed, run `pip install cardiac-mri-zoo\[onnx\]`"):
        export_onnx(model, tmp_path / "onnx")
