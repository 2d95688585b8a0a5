"""Each metric against another implementation of it, and the errors for input that has no answer."""

import numpy as np
import pytest
import scipy.linalg
import torch
from metric_fakes import smooth_images
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch.nn.functional import avg_pool2d
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.image.kid import poly_mmd

from zoo.errors import ZooError
from zoo.metrics import FeatureStatistics, cc, frechet_distance, kid, ms_ssim, mse, psnr, ssim


@pytest.fixture(params=[(1, 64), (3, 32)], ids=["grey", "colour"])
def pairs(request):
    channels, size = request.param
    a = smooth_images(5 * channels, size, seed=1).reshape(5, channels, size, size)
    noise = torch.rand(a.shape, generator=torch.Generator().manual_seed(0))
    return a, (0.7 * a + 0.3 * noise).clamp(0, 1)


def as_channels_last(images):
    return images.permute(0, 2, 3, 1).double().numpy()


def test_ssim_is_scikit_images(pairs):
    expected = [
        structural_similarity(
            x, y, data_range=1, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for x, y in zip(*map(as_channels_last, pairs), strict=True)
    ]
    np.testing.assert_allclose(ssim(*pairs), expected, atol=1e-9)


def test_ssim_is_torchmetrics_away_from_its_padding(pairs):
    a, b = (x.double() for x in pairs)
    _, full = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    torch.testing.assert_close(ssim(a, b), full[..., 5:-5, 5:-5].mean((1, 2, 3)), atol=1e-9, rtol=0)


def test_ms_ssim_is_the_product_over_torchmetrics_scales(pairs):
    a, b = (x.double() for x in pairs)
    expected = torch.ones(len(a), dtype=torch.float64)
    for scale, beta in enumerate((0.0448, 0.2856, 0.3001)):
        options = {"sigma": 1.5 * 7 / 11, "data_range": 1.0, "reduction": "none"}
        if scale == 2:
            full = structural_similarity_index_measure(a, b, **options, return_full_image=True)[1]
            expected *= full[..., 3:-3, 3:-3].mean((1, 2, 3)) ** (beta / 0.6305)
        else:
            contrast = structural_similarity_index_measure(a, b, **options, return_contrast_sensitivity=True)[1]
            expected *= contrast ** (beta / 0.6305)
            a, b = avg_pool2d(a, 2), avg_pool2d(b, 2)
    torch.testing.assert_close(ms_ssim(*pairs), expected, atol=1e-9, rtol=0)


def test_ms_ssim_of_an_anticorrelated_pair_is_zero():
    image = smooth_images(1)
    assert ms_ssim(image, 1 - image).item() == 0


def test_pixel_metrics(pairs):
    a, b = pairs
    expected_cc = [np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    expected_psnr = [
        peak_signal_noise_ratio(x, y, data_range=1) for x, y in zip(*map(as_channels_last, pairs), strict=True)
    ]
    np.testing.assert_allclose(cc(a, b), expected_cc, atol=1e-6)
    np.testing.assert_allclose(mse(a, b), ((a - b) ** 2).flatten(1).mean(1), rtol=1e-5)
    np.testing.assert_allclose(psnr(a, b), expected_psnr, rtol=1e-6)


def test_equal_images():
    a = smooth_images(3)
    for metric, value in ((ssim, 1), (ms_ssim, 1), (cc, 1), (mse, 0), (psnr, np.inf)):
        np.testing.assert_allclose(metric(a, a), value, atol=1e-12)


def test_one_constant_image_among_others_correlates_with_nothing():
    a = smooth_images(3)
    b = a.clone()
    b[1] = 0.3
    np.testing.assert_allclose(cc(a, b), [1, 0, 1], atol=1e-6)


@pytest.mark.parametrize("metric", [ssim, ms_ssim, cc, mse, psnr])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((2, 1, 32, 32), 0.5), "second images: every image is constant"),
        (smooth_images(2).index_fill(0, torch.tensor([1]), torch.nan), "second images: 1 of 2 images hold NaN"),
        (smooth_images(2) * 255, r"second images: expected values in \[0, 1\]"),
        (smooth_images(2)[0], "second images: expected a float tensor"),
        ((smooth_images(2) * 255).byte(), "second images: expected a float tensor"),
        (smooth_images(3), "two sets of one shape"),
    ],
)
def test_bad_images_are_named(metric, images, message):
    with pytest.raises(ZooError, match=message):
        metric(smooth_images(2), images)


@pytest.mark.parametrize(("metric", "size"), [(ssim, 10), (ms_ssim, 27)])
def test_images_smaller_than_the_window(metric, size):
    with pytest.raises(ZooError, match="pixels a side"):
        metric(smooth_images(2, size), smooth_images(2, size))


@pytest.fixture(params=[(60, 40, 24), (30, 50, 80)], ids=["full rank", "more dimensions than images"])
def features(request):
    n, m, d = request.param
    random = np.random.default_rng(0)
    mixing = random.normal(size=(d, d))
    return torch.from_numpy(random.normal(size=(n, d)) @ mixing), torch.from_numpy(random.normal(size=(m, d)) + 0.5)


def scipy_frechet(a, b):
    a, b = a.numpy(), b.numpy()
    s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The two orders of the product agree; the symmetric one keeps sqrtm accurate when the covariances are singular.
    root = scipy.linalg.sqrtm(s1).real
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * scipy.linalg.sqrtm(root @ s2 @ root).real)


def test_frechet_distance_is_scipys(features):
    a, b = features
    statistics = [FeatureStatistics(x.shape[1]).update(x) for x in (a, b)]
    expected = scipy_frechet(a, b)
    assert frechet_distance(*statistics) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)
    assert frechet_distance(a, statistics[1]) == pytest.approx(frechet_distance(a, b), rel=1e-6)


def test_frechet_distance_in_closed_form():
    """One dimension: (difference of means)² + (difference of standard deviations)²."""
    a, b = torch.tensor([[0.0], [2.0]]), torch.tensor([[10.0], [16.0]])
    assert frechet_distance(a, b) == pytest.approx(12**2 + (18**0.5 - 2**0.5) ** 2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)


def test_frechet_distance_of_one_image_repeated_is_that_of_a_point_from_a_cloud():
    cloud = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).double()
    point = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).double()
    expected = (cloud.mean(0) - point).square().sum() + cloud.T.cov().trace()
    assert frechet_distance(point.repeat(20, 1), cloud) == pytest.approx(expected.item())


def test_statistics_do_not_depend_on_the_batches():
    features = torch.randn(100, 5, generator=torch.Generator().manual_seed(0)).double() + 1e4
    stream = FeatureStatistics(5)
    for batch in features.split([1, 0, 60, 39]):
        stream.update(batch)
    assert stream.count == 100
    torch.testing.assert_close(stream.mean, features.mean(0))
    torch.testing.assert_close(stream.covariance, features.T.cov(), rtol=1e-8, atol=1e-8)


def test_kid_is_torchmetrics_on_full_sets(features):
    a, b = (x[:30] for x in features)
    assert kid(a, b) == pytest.approx(poly_mmd(a, b).item(), rel=1e-9)


def test_kid_is_the_mean_over_subsets_of_any_fixed_size(features):
    a, b = features
    for size in (5, 20):
        generator = torch.Generator().manual_seed(0)
        values = torch.stack(
            [poly_mmd(*(x[torch.randperm(len(x), generator=generator)[:size]] for x in (a, b))) for _ in range(3000)]
        )
        assert abs(values.mean() - kid(a, b)) < 4 * values.std() / 3000**0.5


def test_kid_is_unbiased():
    generator = torch.Generator().manual_seed(0)
    values = [kid(torch.randn(20, 4, generator=generator), torch.randn(30, 4, generator=generator)) for _ in range(300)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 300**0.5
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize("distance", [frechet_distance, kid])
def test_bad_features_are_named(distance):
    good = torch.randn(10, 4)
    with pytest.raises(ZooError, match="second features: NaN"):
        distance(good, torch.full((10, 4), torch.nan))
    with pytest.raises(ZooError, match="at least two rows"):
        distance(good, good[:1])
    with pytest.raises(ZooError, match="equal dimensions"):
        distance(good, good[:, :3])
