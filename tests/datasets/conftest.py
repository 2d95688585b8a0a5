"""Small downloads made up on the spot, in the layouts of the real ones."""

from pathlib import Path

import datasets
import pytest
from fake_acdc import write_patient

from zoo.datasets.schema import PATHOLOGIES

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keeps what `load_dataset` caches out of the user's home."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real():
    """Gives the folder of a real download, or skips the test."""

    def find(name: str) -> Path:
        if not (REAL / name).is_dir():
            pytest.skip(f"needs the {name} download at {REAL / name}")
        return REAL / name

    return find


@pytest.fixture
def acdc(tmp_path) -> Path:
    """A download of ten training patients, two a pathology, and two testing patients."""
    for number in range(1, 11):
        folder = tmp_path / "acdc" / "training" / f"patient{number:03d}"
        write_patient(folder, group=PATHOLOGIES[number % 5], seed=number)
    for number in (101, 102):
        write_patient(tmp_path / "acdc" / "testing" / f"patient{number}", group="HCM", seed=number)
    return tmp_path / "acdc"
