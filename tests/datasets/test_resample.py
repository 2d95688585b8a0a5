import numpy as np
import pytest
from skimage.transform import resize

from zoo.datasets.resample import intensity_window, resample_slice


def test_linear_ramp_is_read_at_its_millimetres():
    rows, columns = np.indices((50, 60))
    millimetres = 1.25 * rows + 100 * 0.8 * columns  # the physical position is the brightness
    result = resample_slice(
        millimetres, (1.25, 0.8), size=7, new_spacing=1.0, center=(20.3, 30.6)
    )  # finer in rows, and coarser in columns
    steps = np.arange(7) - 3
    expected = (1.25 * 20.3 + steps)[:, None] + 100 * (0.8 * 30.6 + steps)[None]
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_same_grid_changes_nothing():
    image = np.random.default_rng(0).uniform(size=(9, 9)).astype(np.float32)
    result = resample_slice(image, (1.4, 1.4), size=9, new_spacing=1.4, center=(4, 4))
    np.testing.assert_allclose(result, image, atol=1e-6)


def test_halving_agrees_with_scikit_image():
    image = np.random.default_rng(0).uniform(size=(64, 64))
    ours = resample_slice(image, (1.0, 1.0), size=32, new_spacing=2.0, center=(31.5, 31.5))
    theirs = resize(image, (32, 32), order=1, anti_aliasing=True)
    np.testing.assert_allclose(ours[2:-2, 2:-2], theirs[2:-2, 2:-2], atol=1e-5)  # edges are continued differently


def test_stripes_too_fine_for_the_grid_turn_grey():
    stripes = np.tile([0.0, 1.0], (64, 32))
    coarse = resample_slice(stripes, (1.0, 1.0), size=12, new_spacing=4.0, center=(31.5, 31.5))
    assert np.abs(coarse - 0.5).max() < 0.02


def test_masks_keep_their_labels_and_area():
    mask = np.zeros((80, 80), np.uint8)
    mask[20:60, 30:50] = 3  # 40 x 20 mm
    result = resample_slice(mask, (1.0, 1.0), size=40, new_spacing=2.0, center=(39.5, 39.5), order=0)
    assert result.dtype == np.uint8
    assert set(np.unique(result)) == {0, 3}
    assert (result == 3).sum() * 4 == 800


def test_outside_is_zero():
    result = resample_slice(np.ones((10, 10)), (1.0, 1.0), size=20, new_spacing=1.0, center=(4.5, 4.5))
    assert result.sum() == 100
    assert result[5:15, 5:15].min() == 1


def test_window_is_of_the_whole_volume():
    volume = np.arange(1000, dtype=np.int16).reshape(10, 10, 10)
    window = intensity_window(volume, (0.5, 99.5))
    low, high = np.percentile(volume, (0.5, 99.5))
    assert (window.min(), window.max()) == (0, 1)
    assert window[5, 0, 0] == pytest.approx((500 - low) / (high - low), abs=1e-6)
    assert (window == 0).sum() == 5 and (window == 1).sum() == 5


def test_window_needs_contrast():
    with pytest.raises(ValueError, match="both 7"):
        intensity_window(np.full((2, 3, 3), 7), (0.5, 99.5))
