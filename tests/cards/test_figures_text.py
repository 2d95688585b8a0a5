"""Figures as text."""

import pytest

from zoo.cards.figures_text import duration, metric_name, text


@pytest.mark.parametrize(
    ("figure", "key", "expected"),
    [
        ({"value": 84.93, "low": 80.06, "high": 90.11, "n": 25}, "", "84.9 [80.1, 90.1]"),
        ({"value": 0.71234, "low": 0.7, "high": 0.75}, "ssim", "0.712 [0.700, 0.750]"),
        ({"value": 0.00123, "low": -0.0002, "high": 0.003}, "", "0.0012 [-0.0002, 0.0030]"),
        ({"value": 0.0, "low": 0.0, "high": 0.037}, "share_copies", "0.0 % [0.0, 3.7]"),
        ({"value": 343.2}, "", "343"),
        (0.0, "", "0.000"),
        (2_765_568, "parameters", "2,765,568"),
        (1502.4, "", "1,502"),
        (True, "", "yes"),
        (None, "fid_inception_v3", "not measured"),
    ],
)
def test_text(figure, key, expected):
    assert text(figure, key) == expected


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("fid_inception_v3", "FID (Inception v3)"),
        ("inception_score_inception_v3", "Inception Score (inception_v3)"),
        ("precision_unet_acdc", "precision (unet_acdc)"),
        ("mifid_efficientnet_lite0", "MIFID (efficientnet_lite0)"),
        ("share_copies_HCM", "share of copies (HCM)"),
        ("share_copies_real", "share of copies, real images"),
        ("share_copies_real_test_unet_acdc", "share of copies, real test images (unet_acdc)"),
        ("threshold_mifid_unet_acdc", "threshold of MIFID (unet_acdc)"),
        ("membership_auc", "membership inference (AUC)"),
    ],
)
def test_names_of_figures_by_extractor(key, name):
    assert metric_name(key) == name


def test_names():
    assert metric_name("fd_efficientnet_lite0") == "Fréchet distance (efficientnet_lite0)"
    assert metric_name("wall_thickness_mm") == "wall thickness (mm)"


@pytest.mark.parametrize(("seconds", "expected"), [(12.4, "12 s"), (725, "12 min"), (3725, "1 h 02 min")])
def test_duration(seconds, expected):
    assert duration(seconds) == expected
