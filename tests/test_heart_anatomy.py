"""Distances and walls of masks, on hearts whose measures are known."""

import numpy as np
import pytest
from scipy import ndimage

from zoo.anatomy import (
    CAVITY,
    MUSCLE,
    RIGHT,
    around,
    distance_maps,
    mask_of_distances,
    quantities,
    settled,
    signed_distance,
    thickened,
)


def disc(radius: float, size: int = 64) -> np.ndarray:
    """Pixels whose centre lies within `radius` pixels of the middle."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(x, y) <= radius


@pytest.fixture
def heart() -> np.ndarray:
    """A cavity of 10 pixels' radius in a wall of 6, with a right ventricle at its left."""
    mask = np.zeros((64, 64), np.uint8)
    mask[20:44, 4:18] = RIGHT
    mask[disc(16)] = MUSCLE
    mask[disc(10)] = CAVITY
    return mask


def radius_of(region: np.ndarray) -> float:
    return np.sqrt(region.sum() / np.pi)


def test_distances_are_in_millimetres_and_positive_inside():
    distance = signed_distance(disc(10), spacing_mm=1.5, limit_mm=100)
    y, x = np.mgrid[:64, :64] - 31.5
    np.testing.assert_allclose(distance, 1.5 * (10 - np.hypot(x, y)), atol=1.5)  # to a pixel
    assert ((distance > 0) == disc(10)).all()


def test_distances_end_at_the_limit_and_an_empty_region_is_far_everywhere():
    assert signed_distance(disc(10), 1.0, 5.0).max() == 5 and signed_distance(disc(10), 1.0, 5.0).min() == -5
    assert (signed_distance(np.zeros((8, 8), bool), 1.0, 5.0) == -5).all()


def test_a_region_that_fills_the_picture_ends_at_its_border():
    distance = signed_distance(np.ones((9, 9), bool), 1.0, 50.0)
    assert distance[0, 0] == 0.5 and distance[4, 4] == 4.5


def test_the_three_maps_are_right_ventricle_epicardium_and_cavity(heart):
    right, outer, inner = distance_maps(heart, 1.0, 16.0)
    np.testing.assert_array_equal(right > 0, heart == RIGHT)
    np.testing.assert_array_equal(outer > 0, disc(16))
    np.testing.assert_array_equal(inner > 0, heart == CAVITY)


@pytest.mark.parametrize("spacing", [1.0, 2.0])
@pytest.mark.parametrize("change", [2.0, -1.0])
def test_a_wall_grows_inwards_by_what_was_asked(heart, change, spacing):
    new = thickened(heart, spacing, change)
    assert new.dtype == np.uint8
    np.testing.assert_array_equal(new >= MUSCLE, heart >= MUSCLE)  # the epicardium stays
    np.testing.assert_array_equal(new == RIGHT, heart == RIGHT)
    assert radius_of(new == CAVITY) == pytest.approx(10 - change / spacing, abs=0.6)


def test_a_wall_grows_outwards_over_the_right_ventricle(heart):
    new = thickened(heart, 1.0, 3.0, grow="out")
    np.testing.assert_array_equal(new == CAVITY, heart == CAVITY)
    assert radius_of(new >= MUSCLE) == pytest.approx(19, abs=0.6)
    assert (new == RIGHT).sum() < (heart == RIGHT).sum()


def test_no_change_is_no_change(heart):
    np.testing.assert_array_equal(thickened(heart, 1.0, 0.0), heart)


@pytest.mark.parametrize(
    ("change", "grow", "message"),
    [
        (9.0, "in", "leaves a cavity of .* mm², at least 30 are expected"),
        (-5.0, "in", "leaves less than 2 mm of a wall"),
        (-5.0, "out", "leaves less than 2 mm of a wall"),
        (1.0, "up", 'grow: expected "in" or "out"'),
    ],
)
def test_what_is_no_heart_is_refused(heart, change, grow, message):
    with pytest.raises(ValueError, match=message):
        thickened(heart, 1.0, change, grow)


def test_a_mask_without_a_wall_is_refused(heart):
    with pytest.raises(ValueError, match="masks: expected myocardium and left ventricle"):
        thickened(np.where(heart == CAVITY, heart, 0), 1.0, 1.0)


def test_the_surroundings_of_a_heart_are_as_wide_as_asked(heart):
    near = around(np.where(heart == RIGHT, 0, heart), spacing_mm=2.0, margin_mm=6.0)
    assert radius_of(near) == pytest.approx(16 + 3, abs=0.6)


def test_labels_come_back_from_their_distances(heart):
    np.testing.assert_array_equal(mask_of_distances(distance_maps(heart, 1.0, 16.0)), heart)


def test_where_two_regions_overlap_the_deeper_one_wins():
    maps = np.array([[0.5, 1.0, -1.0], [1.0, 0.5, -1.0], [1.0, 1.0, 0.1], [-1.0, -1.0, -1.0]])
    assert mask_of_distances(maps.T[..., None]).ravel().tolist() == [2, 1, 3, 0]


@pytest.fixture
def smooth() -> np.ndarray:
    """Distance maps as a network draws them: two nested circles of 16 and 10 mm, a right ventricle of 9 mm beside."""
    y, x = np.mgrid[:64, :64] - 31.5
    return np.stack([9 - np.hypot(x + 21, y), 16 - np.hypot(x, y), 10 - np.hypot(x, y)])


@pytest.mark.parametrize(
    "asked",
    [
        {"wall_thickness_mm": 9.0},
        {"wall_thickness_mm": 4.0},
        {"cavity_area_mm2": 500.0},
        {"rv_area_mm2": 150.0},
        {"wall_thickness_mm": 8.0, "cavity_area_mm2": 250.0, "rv_area_mm2": 400.0},
        {"septal_wall_mm": 12.0, "lateral_wall_mm": 6.0},
        {"wall_thickness_mm": 8.0, "septal_wall_mm": 11.0, "lateral_wall_mm": 6.0, "cavity_area_mm2": 300.0},
    ],
)
def test_borders_move_until_everything_is_as_large_as_asked(smooth, asked):
    found = quantities(mask_of_distances(settled(smooth, asked, 1.0)), 1.0)
    for name, value in asked.items():
        assert found[name] == pytest.approx(value, abs=0.25 if name.endswith("_mm") else 0.03 * value)


def test_borders_move_farther_than_a_network_tells():
    """Its maps end at 16 mm and are noise beyond; a small apical heart is asked to be a large one with a thick wall."""
    y, x = np.mgrid[:128, :128] - 63.5
    drawn = np.stack([np.full((128, 128), -16.0), 14 - np.hypot(x, y), 4 - np.hypot(x, y)]).clip(-16, 16)
    drawn += ndimage.gaussian_filter(np.random.default_rng(0).normal(size=drawn.shape), (0, 1, 1))
    asked = {"wall_thickness_mm": 16.0, "septal_wall_mm": 16.0, "cavity_area_mm2": 2000.0}
    mask = mask_of_distances(settled(drawn, asked, 1.0))
    found = quantities(mask, 1.0)
    assert {name: found[name] for name in asked} == pytest.approx(asked, rel=0.03)
    for label in (1, 2, 3):
        assert ndimage.label(mask == label)[1] == 1  # no specks


def test_an_asked_septum_gets_a_right_ventricle_to_tell_it_by(smooth):
    smooth[0] -= 12
    assert np.isnan(quantities(mask_of_distances(smooth), 1.0)["septal_wall_mm"])
    found = quantities(mask_of_distances(settled(smooth, {"septal_wall_mm": 9.0}, 1.0)), 1.0)
    assert found["septal_wall_mm"] == pytest.approx(9.0, abs=0.3)
    assert found["rv_area_mm2"] == pytest.approx(100, abs=5)
    found = quantities(mask_of_distances(settled(smooth, {"wall_thickness_mm": 9.0}, 1.0)), 1.0)
    assert found["rv_area_mm2"] == 0  # nobody asked for one


def test_an_asked_wall_needs_one_cavity_that_no_right_ventricle_cuts_into(smooth):
    smooth[2, 45:49, 30:34] = 1.0  # a second cavity
    smooth[0, 28:36, 14:24] = 9.0  # a right ventricle through the septum
    found = quantities(mask_of_distances(settled(smooth, {"wall_thickness_mm": 6.0}, 1.0)), 1.0)
    assert found["wall_thickness_mm"] == pytest.approx(6.0, abs=0.15)
    smooth[2] -= 12  # no cavity at all
    found = quantities(mask_of_distances(settled(smooth, {"wall_thickness_mm": 6.0}, 1.0)), 1.0)
    assert found["cavity_area_mm2"] > 0


def test_an_asked_wall_closes_the_ring(smooth):
    smooth[1, 28:36, 40:] = -3  # a gap
    assert np.isnan(quantities(mask_of_distances(settled(smooth, {}, 1.0)), 1.0)["wall_thickness_mm"])
    found = quantities(mask_of_distances(settled(smooth, {"wall_thickness_mm": 6.0}, 1.0)), 1.0)
    assert found["wall_thickness_mm"] == pytest.approx(6.0, abs=0.3)
