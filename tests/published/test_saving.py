"""Saving in the published layout."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import zoo
from zoo.errors import ZooError
from zoo.pipelines import sample_generators
from zoo.pipelines.auto import write_code
from zoo.published.layout import publish_source, published_name


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def images_of(pipe) -> np.ndarray:
    return pipe(3, generator=sample_generators(0, range(3)), output_type="np").images


def test_layout_of_own_pipeline(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "model")
    base, latents = (Path(zoo.__file__).parent / "pipelines" / name for name in ("base.py", "latents.py"))
    digest, other = (hashlib.sha256(file.read_bytes()).hexdigest()[:8] for file in (base, latents))
    assert files_of(tmp_path / "model") == {
        "model_index.json",
        "pipeline.py",
        f"base_{digest}.py",
        f"latents_{other}.py",
        "generator_model/config.json",
        "generator_model/diffusion_pytorch_model.safetensors",
        "generator_model/modeling_dcgan.py",
    }
    index = json.loads((tmp_path / "model" / "model_index.json").read_text())
    assert index["_class_name"] == ["pipeline", "GANPipeline"]
    assert index["generator_model"] == ["modeling_dcgan", "DCGANGenerator"]
    assert (tmp_path / "model" / f"base_{digest}.py").read_bytes() == base.read_bytes()
    assert f"from .base_{digest} import" in (tmp_path / "model" / "pipeline.py").read_text()


def test_layout_of_diffusers_own_pipeline(unconditional_ddpm, tmp_path):
    unconditional_ddpm.save_pretrained(tmp_path / "model")
    assert not [name for name in files_of(tmp_path / "model") if name.endswith(".py")]
    index = json.loads((tmp_path / "model" / "model_index.json").read_text())
    assert published_name(type(unconditional_ddpm)) == index["_class_name"] == "DDPMPipeline"
    assert index["_zoo"] == {"default_steps": 3, "pixel_spacing_mm": 2.0}
    assert {key for key in index if not key.startswith("_")} == {"unet", "scheduler"}


def test_round_trip(any_pipeline, tmp_path):
    any_pipeline.save_pretrained(tmp_path / "model")
    loaded = zoo.from_pretrained(tmp_path / "model")
    assert type(loaded) is type(any_pipeline)
    assert loaded.config.pixel_spacing_mm == 2.0
    loaded.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(images_of(loaded), images_of(any_pipeline))


def test_loads_in_eval_mode(dcgan, tmp_path):
    dcgan.generator_model.train()
    dcgan.save_pretrained(tmp_path / "model")
    assert not zoo.from_pretrained(tmp_path / "model").generator_model.training


def test_saving_again_changes_no_file(any_pipeline, tmp_path):
    any_pipeline.save_pretrained(tmp_path / "first")
    zoo.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    assert files_of(tmp_path / "first") == files_of(tmp_path / "second")
    for name in files_of(tmp_path / "first"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_half_precision(any_pipeline, tmp_path):
    any_pipeline.save_pretrained(tmp_path / "full")
    any_pipeline.save_pretrained(tmp_path / "half", torch_dtype=torch.float16)
    assert any_pipeline.dtype == torch.float32
    for file in (tmp_path / "half").rglob("*.safetensors"):
        tensors = load_file(file)
        assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}
        assert file.stat().st_size < 0.7 * (tmp_path / "full" / file.relative_to(tmp_path / "half")).stat().st_size
    loaded = zoo.from_pretrained(tmp_path / "half")
    assert loaded.dtype == torch.float32
    loaded.set_progress_bar_config(disable=True)
    np.testing.assert_allclose(images_of(loaded), images_of(any_pipeline), atol=0.02)
    assert zoo.from_pretrained(tmp_path / "half", torch_dtype=torch.bfloat16).dtype == torch.bfloat16


def test_a_weight_too_large_for_half_precision_is_refused(dcgan, tmp_path):
    dcgan.generator_model.layers[1].running_var.fill_(1e6)
    with pytest.raises(ZooError, match="layers.1.running_var: a weight is too large for torch.float16"):
        dcgan.save_pretrained(tmp_path / "model", torch_dtype=torch.float16)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_model_is_replaced_with_its_metrics(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "metrics.json").write_text("{}")
    dcgan.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model" / "metrics.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_of_something_else_is_left_alone(dcgan, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ZooError, match="expected a new or empty folder"):
        dcgan.save_pretrained(tmp_path)
    assert files_of(tmp_path) == {"thesis.tex"}


def test_pickles_are_neither_written_nor_read(dcgan, tmp_path):
    with pytest.raises(ZooError, match="safe_serialization: expected True"):
        dcgan.save_pretrained(tmp_path / "model", safe_serialization=False)
    dcgan.save_pretrained(tmp_path / "model")
    with pytest.raises(ZooError, match="use_safetensors: expected True"):
        type(dcgan).from_pretrained(tmp_path / "model", use_safetensors=False)


def test_a_variant_is_added_to_a_model(latent_diffusion, dcgan, tmp_path):
    folder = tmp_path / "model"
    latent_diffusion.save_pretrained(folder)
    (folder / "metrics.json").write_text("{}")
    before = files_of(folder)
    latent_diffusion.save_pretrained(folder, variant="fp16", torch_dtype=torch.float16)
    added = {f"{name}/diffusion_pytorch_model.fp16.safetensors" for name in ("unet", "vae")}
    assert files_of(folder) == before | added
    (folder / "vae" / "diffusion_pytorch_model.fp16.safetensors").unlink()  # its usual weights do
    loaded, rounded = (zoo.from_pretrained(folder, variant=variant) for variant in (None, "fp16"))
    for pipe, half in ((loaded, False), (rounded, True)):
        for name, weight in pipe.unet.state_dict().items():
            wanted = latent_diffusion.unet.state_dict()[name]
            assert torch.equal(weight, wanted.half().float() if half else wanted)
    with pytest.raises(ZooError, match="model files of the `variant=ema`, but no such"):
        zoo.from_pretrained(folder, variant="ema")
    with pytest.raises(ZooError, match="variant: expected an earlier model of class GANPipeline"):
        dcgan.save_pretrained(folder, variant="fp16")
    assert files_of(folder) < before | added


def test_weights_are_split(dcgan, tmp_path):
    dcgan.save_pretrained(tmp_path / "model", max_shard_size="10KB", torch_dtype=torch.float16)
    where = tmp_path / "model" / "generator_model"
    shards = list(where.glob("*.safetensors"))
    assert len(shards) > 1
    index = json.loads((where / "diffusion_pytorch_model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(t.nbytes for file in shards for t in load_file(file).values())
    np.testing.assert_allclose(images_of(zoo.from_pretrained(tmp_path / "model")), images_of(dcgan), atol=0.02)


def test_options_of_diffusers_are_no_arguments_of_the_class(conditional_ddpm, tmp_path):
    conditional_ddpm.save_pretrained(tmp_path / "model")
    cls = type(conditional_ddpm)
    options = {"cache_dir": tmp_path, "local_files_only": True, "low_cpu_mem_usage": False, "device_map": "cpu"}
    loaded = cls.from_pretrained(tmp_path / "model", dtype=torch.bfloat16, trust_remote_code=True, **options)
    assert (loaded.dtype, loaded.device.type, loaded.hf_device_map) == (torch.bfloat16, "cpu", "cpu")
    assert zoo.from_pretrained(tmp_path / "model", device_map="balanced").unet.dtype == torch.float32
    by_name = cls.from_pretrained(tmp_path / "model", dtype={"unet": torch.float16, "default": torch.bfloat16})
    assert by_name.unet.dtype == torch.float16
    bad = {"dtype": ("half", "dtype: expected a torch.dtype"), "device_map": ("moon", "device_map: expected a device")}
    for name, (value, message) in bad.items():
        with pytest.raises(ZooError, match=message):
            cls.from_pretrained(tmp_path / "model", **{name: value})


def test_a_component_may_be_replaced(conditional_ddpm, tmp_path):
    from diffusers import DDIMScheduler

    conditional_ddpm.save_pretrained(tmp_path / "model")
    scheduler = DDIMScheduler()
    loaded = type(conditional_ddpm).from_pretrained(tmp_path / "model", scheduler=scheduler, default_steps=7)
    assert loaded.scheduler is scheduler
    assert loaded.default_steps == 7


def test_relative_imports_of_imports_are_refused(tmp_path, monkeypatch):
    (tmp_path / "first_file.py").write_text("from .second_file import x\nclass A: pass\n")
    (tmp_path / "second_file.py").write_text("from .third_file import x\n")
    (tmp_path / "third_file.py").write_text("x = 1\n")
    (tmp_path / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path.parent)
    module = __import__(f"{tmp_path.name}.first_file").first_file
    with pytest.raises(ZooError, match="second_file.py: has relative imports"):
        publish_source(module.A, tmp_path / "pipeline.py")
    for name in [name for name in sys.modules if name.startswith(tmp_path.name)]:
        del sys.modules[name]


def test_code_is_written_anew_and_nothing_else(acgan, tmp_path):
    folder = tmp_path / "model"
    acgan.save_pretrained(folder)
    (folder / "metrics.json").write_text("{}")
    before = {name: (folder / name).read_bytes() for name in files_of(folder)}
    base = next(folder.glob("base_*.py"))
    base.rename(folder / "base_00000000.py")
    (folder / "pipeline.py").write_text("from .base_00000000 import ZooPipeline\n")
    (folder / "generator_model" / "modeling_acgan.py").unlink()
    changed = ["base_00000000.py", base.name, "generator_model/modeling_acgan.py", "pipeline.py"]
    assert write_code(folder) == sorted(changed)
    assert {name: (folder / name).read_bytes() for name in files_of(folder)} == before
    assert write_code(folder) == []
    (folder / "model_index.json").unlink()
    with pytest.raises(ZooError, match="no model"):
        write_code(folder)
