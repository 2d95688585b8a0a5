"""Networks of an earlier version become transformers' own, their weights as they are."""

import json

import pytest
import torch

import convert_network
from zoo.errors import ZooError
from zoo.files import sha256
from zoo.published.networks import load_judge


@pytest.fixture
def earlier(publishable_network):
    """The folder as it was when such networks were diffusers'."""
    folder = publishable_network
    config = json.loads((folder / "config.json").read_text())
    names = ("sample_size", "in_channels", "class_names", "block_out_channels", "norm_num_groups", "pixel_spacing_mm")
    old = {name: config[name] for name in names} | {"_class_name": "UNetSegmenter", "_diffusers_version": "0.42.1"}
    (folder / "config.json").write_text(json.dumps(old))
    (folder / "model.safetensors").rename(folder / "diffusion_pytorch_model.safetensors")
    (folder / "preprocessor_config.json").unlink()
    metrics = json.loads((folder / "metrics.json").read_text())
    hashes = metrics["model"]["sha256"]
    hashes["diffusion_pytorch_model.safetensors"] = hashes.pop("model.safetensors")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_weights_keep_their_content(earlier):
    before = sha256(earlier / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ZooError, match="architectures: expected those of transformers"):
        load_judge(earlier)
    convert_network.main([str(earlier)])
    judge = load_judge(earlier, "segmenter")
    metrics = json.loads((earlier / "metrics.json").read_text())
    assert judge.sha256 == before and metrics["model"]["sha256"] == {"model.safetensors": before}
    assert judge.network.config.block_out_channels == [8, 16] and judge.network.dtype == torch.float32
    assert "AutoModelForSemanticSegmentation" in (earlier / "config.json").read_text()
    assert "trust_remote_code=True" in (earlier / "README.md").read_text()
    files = {file.name: file.read_bytes() for file in earlier.iterdir()}
    convert_network.main([str(earlier)])  # nothing more to do
    assert {file.name: file.read_bytes() for file in earlier.iterdir()} == files


def test_what_is_no_network_is_refused(earlier, tmp_path):
    with pytest.raises(ZooError, match="config.json: not found"):
        convert_network.convert(tmp_path / "none")
    (earlier / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(
        ZooError, match="expected one of ResNet50Classifier, SkinLesNet, UNetSegmenter, ViewNet with diff"
    ):
        convert_network.convert(earlier)
