"""Loading from folders, and what is said of those that are no model."""

import json
import subprocess
import sys

import pytest
import torch
from diffusers import UNet2DModel

import zoo
from zoo.errors import ZooError


@pytest.fixture
def folder(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def change_index(folder, **changes):
    file = folder / "model_index.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def weights(folder):
    return folder / "generator_model" / "diffusion_pytorch_model.safetensors"


def drop_a_weight(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights(folder))
    del tensors["layers.0.weight"]
    save_file(tensors, weights(folder), metadata={"format": "pt"})


def store_as_pickle(folder):
    torch.save({}, folder / "generator_model" / "diffusion_pytorch_model.bin")
    weights(folder).unlink()


BAD = {
    "no index": (lambda f: (f / "model_index.json").unlink(), "no model, it has no model_index.json"),
    "index is not JSON": (lambda f: (f / "model_index.json").write_text("{"), "model_index.json: expected JSON"),
    "no class": (lambda f: change_index(f, _class_name=None), "_class_name: expected the name of a pipeline class"),
    "unknown class": (
        lambda f: change_index(f, _class_name="XPipeline"),
        "unknown class 'XPipeline', expected one of",
    ),
    "unknown network": (lambda f: change_index(f, generator_model=["modeling_x", "XNet"]), "unknown class 'XNet'"),
    "not a network": (lambda f: change_index(f, generator_model=["diffusers", "logging"]), "unknown class 'logging'"),
    "not a pair": (
        lambda f: change_index(f, generator_model=["diffusers"]),
        "generator_model: expected .library, class",
    ),
    "folder outside": (lambda f: change_index(f, **{"../x": ["diffusers", "UNet2DModel"]}), "lists this component"),
    "unknown argument": (lambda f: change_index(f, colour=3), "does not fit the class: .*colour"),
    "no component": (lambda f: change_index(f, generator_model=True), "does not fit the class: "),
    "no weights": (lambda f: weights(f).unlink(), "no weights, expected diffusion_pytorch_model.safetensors"),
    "pickled weights": (store_as_pickle, "no weights, expected diffusion_pytorch_model.safetensors"),
    "truncated weights": (
        lambda f: weights(f).write_bytes(weights(f).read_bytes()[:999]),
        "generator_model: cannot be",
    ),
    "a weight missing": (drop_a_weight, "generator_model: the weights have 1 missing keys, such as layers.0.weight"),
    "no config": (lambda f: (f / "generator_model" / "config.json").unlink(), "generator_model: cannot be loaded"),
}


@pytest.mark.parametrize(("damage", "message"), BAD.values(), ids=BAD.keys())
def test_damaged_folders(folder, damage, message):
    damage(folder)
    with pytest.raises(ZooError, match=message) as caught:
        zoo.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_configuration_that_diffusers_stumbles_on_is_told_in_one_line(tmp_path):
    blocks = {"down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "block_out_channels": [4]}
    UNet2DModel(8, 1, 1, **blocks, norm_num_groups=2, attention_head_dim=2).save_pretrained(tmp_path / "unet")
    index = {"_class_name": "UnconditionalDDPMPipeline", "unet": ["diffusers", "UNet2DModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    config = tmp_path / "unet" / "config.json"
    emptied = {"block_out_channels": [], "down_block_types": [], "up_block_types": []}
    config.write_text(json.dumps(json.loads(config.read_text()) | emptied))
    with pytest.raises(ZooError, match="unet: cannot be loaded: ") as caught:
        zoo.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere", "./no/where", "/no/such/folder", "a/b/c"])
def test_what_is_neither_folder_nor_repo(path):
    with pytest.raises(ZooError, match=f"{path}: expected the folder of a model or a repo id"):
        zoo.from_pretrained(path)


def test_a_folder_has_no_revisions(folder):
    with pytest.raises(ZooError, match="revision: expected a repo on the Hub"):
        zoo.from_pretrained(folder, revision="main")


def test_code_in_the_folder_is_not_run(folder):
    for file in folder.rglob("*.py"):
        file.write_text("raise SystemExit('remote code was run')")
    zoo.from_pretrained(folder)


def test_importing_the_package_is_light():
    code = "import zoo, sys; print(zoo.from_pretrained.__name__, {'torch', 'diffusers', 'datasets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["from_pretrained", "set()"]


def test_a_model_imports_its_own_files_alone(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "model")
    code = f"""
import sys, zoo, zoo.samples
zoo.from_pretrained({str(tmp_path / "model")!r})
rooms = ("zoo.pipelines.pipeline_", "zoo.models.", "zoo.metrics", "zoo.anatomy")
print(sorted(name for name in sys.modules if name.startswith(rooms)))
print([name for name in ("datasets", "pandas", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['zoo.models.dcgan', 'zoo.pipelines.pipeline_gan']", "[]"]


def test_writing_samples_needs_no_library_of_datasets():
    code = "import zoo.samples, sys; print('datasets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
