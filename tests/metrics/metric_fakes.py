"""Small datasets and pipelines for the metrics: blurred noise, with patients that resemble themselves."""

from types import SimpleNamespace

import datasets
import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from zoo.metrics import FeatureExtractor


def smooth_images(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    """`(count, 1, size, size)` of blurred noise, float32 in [0, 1]."""
    noise = np.random.default_rng(seed).normal(size=(count, size, size))
    images = gaussian_filter(noise, (0, 2, 2))
    return torch.from_numpy(np.clip(0.5 + 1.5 * images, 0, 1)).float()[:, None]


def make_split(patients: range, images_per_patient: int) -> datasets.Dataset:
    """A patient's images are one image with a little noise of their own."""
    rows = {"image": [], "patient_id": [], "pathology": [], "slice_level": []}
    features = datasets.Features(
        image=datasets.Image(),
        patient_id=datasets.Value("string"),
        pathology=datasets.ClassLabel(names=["NOR", "HCM"]),
        slice_level=datasets.ClassLabel(names=["basal", "mid", "apical"]),
    )
    for patient in patients:
        base = smooth_images(1, seed=patient)[0, 0].numpy()
        noise = np.random.default_rng(patient).normal(scale=0.1, size=(images_per_patient, *base.shape))
        pictures = np.rint(255 * np.clip(base + gaussian_filter(noise, (0, 1, 1)), 0, 1)).astype(np.uint8)
        rows["image"] += list(pictures)
        rows["patient_id"] += [f"patient{patient:03}"] * images_per_patient
        rows["pathology"] += [patient % 2] * images_per_patient
        rows["slice_level"] += [i % 3 for i in range(images_per_patient)]
    return datasets.Dataset.from_dict(rows, features)


class Projector(FeatureExtractor):
    """A fixed random projection of the pixels: quick, and right enough for tests of what is done with features."""

    name = "projector"
    preprocessing = "none"
    dimensions = 16
    sha256 = "0" * 64

    def __init__(self):
        self.calls = 0
        self.matrix = torch.randn(32 * 32, 16, generator=torch.Generator().manual_seed(0)) / 32

    def __call__(self, images):
        self.calls += 1
        return images.flatten(1) @ self.matrix


class NoisePipeline:
    """Samples are blurred noise from each sample's generator; projections are a blend with grey."""

    family = "noise"
    sample_size = 32
    num_channels = 1
    device = "cpu"
    dtype = torch.float32
    default_settings = {"strength": 1.0}
    projection_method = "blend with grey"
    projection_settings = ({"grey": 0.1}, {"grey": 0.5})
    projection_headline = {"grey": 0.1}
    latent_dimensions = 7

    def __init__(self):
        self.components = {"network": torch.nn.Linear(3, 4)}
        self.sampled = 0

    def network_evaluations(self, **settings) -> int:
        return 1

    def __call__(self, batch_size=1, generator=None, output_type="pil", strength=1.0):
        assert output_type == "pt" and len(generator) == batch_size
        self.sampled += batch_size
        noise = torch.stack([torch.randn(1, 32, 32, generator=g) for g in generator])
        smooth = torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2)
        return SimpleNamespace(images=(0.5 + strength * smooth).clamp(0, 1))

    def project(self, images, generator=None, grey=0.0):
        assert len(generator) == len(images)
        return (1 - grey) * images + grey * 0.5
