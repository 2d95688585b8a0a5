import numpy as np
import pytest
import torch

from zoo.anatomy import distance_maps, mask_of_distances
from zoo.pipelines import sample_generators
from zoo.pipelines.label_maps import LIMIT_MM, interpolated, one_hot
from zoo.pipelines.quantities import asked_quantities


def make(pipe, count=2, **settings):
    return pipe(count, generator=sample_generators(0, range(count)), output_type="np", **settings)


def test_label_maps_and_their_pictures(anatomy):
    output = make(anatomy)
    assert output.masks.shape == (2, 16, 16) and output.masks.dtype == np.uint8
    assert set(np.unique(output.masks)) <= {0, 1, 2, 3} and len(np.unique(output.masks)) > 1
    np.testing.assert_allclose(output.images[..., 0], output.masks / 3, atol=1e-6)
    assert output.pixel_spacing_mm == 2.0


def test_a_label_map_depends_on_seed_and_index_alone(anatomy):
    whole = anatomy(5, generator=sample_generators(0, range(5)), output_type="np").masks
    part = anatomy(2, generator=sample_generators(0, range(3, 5)), output_type="np").masks
    assert (whole[3:] == part).mean() > 0.98
    assert (whole[0] != whole[1]).any()


@pytest.mark.parametrize("asked", [{"wall_thickness_mm": 18}, {"cavity_area_mm2": 4000}, {"class_labels": "HCM"}])
def test_classes_and_quantities_change_what_is_drawn(anatomy, asked):
    one = make(anatomy, phase="ED", class_labels="NOR").masks
    other = make(anatomy, **{"phase": "ED", "class_labels": "NOR", **asked}).masks
    assert (one != other).any()


def test_guidance_goes_past_what_was_asked(anatomy):
    settings = {"class_labels": "HCM", "wall_thickness_mm": 18}
    assert (make(anatomy, **settings).masks != make(anatomy, **settings, guidance_scale=4).masks).any()
    assert anatomy.network_evaluations(guidance_scale=4) == 2 * anatomy.network_evaluations() == 6


def test_a_value_outside_the_training_range_is_refused_in_a_line_that_gives_it(anatomy):
    with pytest.raises(ValueError, match="^wall_thickness_mm: expected 4 to 20, got 25$"):
        make(anatomy, wall_thickness_mm=25)
    with pytest.raises(ValueError, match="^cavity_area_mm2: expected one value or 2"):
        make(anatomy, cavity_area_mm2=[100, 200, 300])
    with pytest.raises(ValueError, match="^lv_volume_ml: unknown argument"):
        make(anatomy, lv_volume_ml=100)


def test_quantities_not_asked_for_are_open():
    known = {"a_mm": {"min": 0, "max": 2}, "b_mm": {"min": 0, "max": 2}}
    values, others = asked_quantities({"b_mm": [1, None], "phase": "ED"}, known, 2)
    assert others == {"phase": "ED"}
    assert values.isnan().tolist() == [[True, False], [True, True]] and values[0, 1] == 1
    for wrong in (True, "1", float("nan")):
        with pytest.raises(ValueError, match="a_mm: expected 0 to 2"):
            asked_quantities({"a_mm": wrong}, known, 1)


def test_distance_maps_on_a_coarse_grid_hold_a_thin_wall():
    y, x = np.mgrid[:64, :64] - 31.5
    mask = np.zeros((64, 64), np.uint8)
    mask[20:44, 2:16] = 1
    mask[np.hypot(x, y) <= 18] = 2
    mask[np.hypot(x, y) <= 15] = 3
    grid = torch.nn.functional.avg_pool2d(torch.from_numpy(distance_maps(mask, 1.0, 16.0))[None], 2)
    found = mask_of_distances(interpolated(grid / LIMIT_MM, 64)[0])
    for label in (1, 2, 3):
        overlap = 2 * ((found == label) & (mask == label)).sum() / ((found == label).sum() + (mask == label).sum())
        assert overlap > 0.96


def test_one_hot_is_one_at_the_label():
    assert one_hot(torch.tensor([[[2]]])).flatten().tolist() == [-1, -1, 1, -1]
