"""The metrics as modules of `evaluate`: loaded from their folders and from a Hub, alone and combined."""

import re
from pathlib import Path

import evaluate
import numpy as np
import pytest
import torch
import yaml
from metric_fakes import smooth_images

import zoo.metrics.modules
from zoo.errors import ZooError
from zoo.metrics import functional

ROOT = Path(zoo.metrics.modules.__file__).parent
FOLDERS = sorted(path for path in ROOT.iterdir() if path.name.startswith("zoo_"))
PAIRS = ("ssim", "ms_ssim", "cc", "mse", "psnr")
DISTANCES = ("frechet_distance", "kid", "cmmd")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """What `evaluate` keeps goes to a temporary folder."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evaluate.config.HF_MODULES_CACHE", folder / "modules")
        patch.setattr("evaluate.config.HF_METRICS_CACHE", folder / "metrics")
        yield


def load(name: str, **options):
    return evaluate.load(str(ROOT / f"zoo_{name}"), **options)


def clouds() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.normal(size=(60, 8)) + 0.5, random.normal(size=(60, 8))


def test_every_feature_and_image_metric_has_a_module():
    names = (*PAIRS, *DISTANCES, "precision_recall", "density_coverage", "mifid", "inception_score")
    assert [folder.name for folder in FOLDERS] == sorted(f"zoo_{name}" for name in names)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_is_a_space_whose_example_runs(folder, monkeypatch):
    names = {path.name for path in folder.iterdir() if path.name != "__pycache__"}
    assert names == {"README.md", "requirements.txt", f"{folder.name}.py"}
    assert (folder / "requirements.txt").read_text() == "cardiac-mri-zoo\n"
    card = (folder / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["sdk"] == "static" and {"evaluate", "metric"} <= set(header["tags"])
    example = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]
    monkeypatch.chdir(ROOT)
    shown = []
    exec(example, {"print": shown.append})
    assert shown[0] and all(isinstance(value, float) for value in shown[0].values())
    assert set(re.findall(r"`(\w+)`", card.split("## Output")[1].split(":")[0])) == set(shown[0])


def test_combined_image_metrics_are_means_of_the_functions():
    a = smooth_images(6, seed=1)
    b = 0.8 * a + 0.2 * smooth_images(6, seed=2)
    metric = evaluate.combine([load(name) for name in PAIRS])
    for part in (slice(0, 4), slice(4, 6)):
        metric.add_batch(predictions=a[part].numpy(), references=b[part].numpy())
    expected = {name: getattr(functional, name)(a, b).mean().item() for name in PAIRS}
    assert metric.compute() == pytest.approx(expected, rel=1e-5)


def test_combined_feature_metrics_are_the_functions():
    a, b = clouds()
    training = b[:40] + 1e-3
    names = (*DISTANCES, "precision_recall", "density_coverage")
    metric = evaluate.combine([*(load(name) for name in names), load("mifid", training=training)])
    ours, theirs = torch.from_numpy(a), torch.from_numpy(b)
    expected = {name: getattr(functional, name)(ours, theirs) for name in DISTANCES}
    for name in ("precision_recall", "density_coverage"):
        expected |= dict(zip(name.split("_"), getattr(functional, name)(ours, theirs), strict=True))
    expected["mifid"] = functional.mifid(ours, theirs, torch.from_numpy(training))
    assert metric.compute(predictions=a, references=b) == pytest.approx(expected)


def test_nothing_to_measure_is_an_error_here_too():
    grey = np.full((3, 1, 32, 32), 0.5, np.float32)
    with pytest.raises(ZooError, match="constant"):
        load("ssim").compute(predictions=grey, references=grey)
    a, b = clouds()
    a[3, 2] = np.nan
    with pytest.raises(ZooError, match="NaN"):
        load("kid").compute(predictions=a, references=b)


def test_loading_from_a_hub(hub):
    hub.api.create_repo("zoo/zoo_mse", repo_type="space", space_sdk="static", exist_ok=True)
    hub.api.upload_folder(repo_id="zoo/zoo_mse", repo_type="space", folder_path=ROOT / "zoo_mse")
    code = """
import evaluate, numpy
image = numpy.arange(64, dtype="float32").reshape(1, 1, 8, 8) / 64
print(evaluate.load("zoo/zoo_mse").compute(predictions=image, references=image / 2))
"""
    image = torch.arange(64).reshape(1, 1, 8, 8) / 64
    expected = functional.mse(image, image / 2).item()
    assert eval(hub.python(code).splitlines()[-1])["mse"] == pytest.approx(expected)
