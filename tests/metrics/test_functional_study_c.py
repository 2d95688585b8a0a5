"""Metrics that study C explains or names: 3-SSIM, DSSIM, CAFD, precision and recall of a classifier."""

import numpy as np
import pytest
import torch
from skimage.filters import sobel_h, sobel_v
from skimage.metrics import structural_similarity
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.metrics import precision_recall_fscore_support

from zoo.errors import ZooError
from zoo.metrics.functional import binary_scores, cafd, confusion_matrix, dssim, frechet_distance, ssim, three_ssim


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """A disc of soft texture on a flat ground, and a noisy version of it."""
    generator = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 48), indexing="ij")
    image = 0.2 + 0.6 * (x.square() + y.square() < 0.4) * (1 + 0.2 * torch.sin(20 * x))
    noisy = (image + 0.05 * torch.randn(48, 48, generator=generator)).clamp(0, 1)
    return image[None, None].clamp(0, 1), noisy[None, None]


def test_three_ssim_against_an_independent_one(pair):
    a, b = (images[0, 0].double().numpy() for images in pair)
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0, "full": True}
    similarity = structural_similarity(a, b, **how)[1][5:-5, 5:-5]
    of_a, of_b = (np.hypot(sobel_h(np.pad(x, 1, "edge")), sobel_v(np.pad(x, 1, "edge")))[6:-6, 6:-6] for x in (a, b))
    edges = np.maximum(of_a, of_b) > 0.12 * of_a.max()
    smooth = (of_a < 0.06 * of_a.max()) & ~edges
    parts = [similarity[edges].mean(), similarity[~edges & ~smooth].mean(), similarity[smooth].mean()]
    assert all(part.any() for part in (edges, ~edges & ~smooth, smooth))
    assert three_ssim(*pair).item() == pytest.approx(0.5 * parts[0] + 0.25 * parts[1] + 0.25 * parts[2], abs=1e-4)


def test_three_ssim_of_equal_images_is_one_and_noise_on_flat_ground_counts_less(pair):
    image, noisy = pair
    assert three_ssim(image, image).item() == pytest.approx(1)
    assert three_ssim(image, noisy).item() < 1
    ramp = torch.linspace(0, 1, 48).expand(1, 1, 48, 48)  # edges alone: their weight is all there is
    assert three_ssim(ramp, ramp.flip(-1)).item() == pytest.approx(ssim(ramp, ramp.flip(-1)).item(), abs=1e-6)


def test_dssim(pair):
    assert dssim(*pair).item() == pytest.approx((1 - ssim(*pair).item()) / 2)
    assert dssim(pair[0], pair[0]).item() == pytest.approx(0)


def test_cafd_is_the_mean_of_the_classes_and_sees_a_swap():
    generator = torch.Generator().manual_seed(0)
    classes = torch.arange(200) % 2
    real = torch.randn(200, 3, generator=generator, dtype=torch.float64) + 4 * classes[:, None]
    samples = torch.randn(200, 3, generator=generator, dtype=torch.float64) + 4 * classes[:, None]
    expected = [frechet_distance(samples[classes == c], real[classes == c]) for c in (0, 1)]
    assert cafd(samples, real, classes, classes) == pytest.approx(sum(expected) / 2)
    swapped = cafd(samples, real, 1 - classes, classes)
    assert swapped > 40 > frechet_distance(samples, real)  # a shift of 4 in each of three dimensions
    with pytest.raises(ZooError, match=r"expected the same classes on both sides, got \[0, 1\] and \[0\]"):
        cafd(samples, real, classes, torch.zeros(200, dtype=torch.int64))


def test_scores_of_a_classifier_are_scikit_learns():
    generator = torch.Generator().manual_seed(0)
    truth, predicted = (torch.randint(3, (60,), generator=generator) for _ in range(2))
    matrix = confusion_matrix(predicted, truth, 3)
    assert matrix.tolist() == reference_matrix(truth, predicted).tolist()
    for positive in range(3):
        expected = precision_recall_fscore_support(truth, predicted, labels=[positive], average="macro")[:3]
        assert list(binary_scores(matrix, positive).values()) == pytest.approx(expected)
    nothing = confusion_matrix(torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64), 2)
    assert binary_scores(nothing, 1) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
