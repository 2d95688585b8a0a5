import numpy as np
import PIL.Image
import pytest
import torch
from diffusers import DDIMScheduler

from zoo.pipelines import sample_generators


def make(pipe, count=2, **settings):
    return pipe(count, generator=sample_generators(0, range(count)), **{"output_type": "np", **settings})


@pytest.fixture
def ring() -> np.ndarray:
    """A cavity of 4 pixels' radius (8 mm) in a wall of 3 (6 mm)."""
    y, x = np.mgrid[:16, :16] - 7.5
    mask = np.zeros((16, 16), np.uint8)
    mask[np.hypot(x, y) <= 7] = 2
    mask[np.hypot(x, y) <= 4] = 3
    return mask


def test_images_come_with_masks_and_their_scale(hearts):
    output = make(hearts)
    assert output.images.shape == (2, 16, 16, 1) and output.images.dtype == np.float32
    assert output.masks.shape == (2, 16, 16) and output.masks.dtype == np.uint8
    assert output.pixel_spacing_mm == 2.0
    assert isinstance(make(hearts, output_type="pil").masks[0], PIL.Image.Image)


def test_a_drawn_mask_given_again_brings_its_image(hearts):
    drawn = make(hearts, class_labels="HCM", phase="ED")
    again = make(hearts, class_labels="HCM", phase="ED", masks=drawn.masks)
    np.testing.assert_array_equal(drawn.masks, again.masks)
    np.testing.assert_allclose(drawn.images, again.images, atol=1e-6)


def test_a_heart_depends_on_seed_and_index_alone(hearts, ring):
    whole = hearts(5, generator=sample_generators(0, range(5)), output_type="np", masks=ring)
    part = hearts(2, generator=sample_generators(0, range(3, 5)), output_type="np", masks=ring)
    np.testing.assert_allclose(whole.images[3:], part.images, atol=1 / 255)


def test_mask_and_classes_reach_the_image(hearts, ring):
    image = make(hearts, 1, masks=ring, class_labels="NOR", phase="ED").images
    for other in ({"masks": np.zeros_like(ring)}, {"class_labels": "HCM"}):
        settings = {"masks": ring, "class_labels": "NOR", "phase": "ED", **other}
        assert np.abs(make(hearts, 1, **settings).images - image).max() > 1e-3


def test_masks_of_every_kind_are_taken(hearts, ring):
    expected = make(hearts, 2, masks=ring).images
    kinds = np.stack([ring, ring]), torch.from_numpy(ring), [PIL.Image.fromarray(ring)] * 2
    for masks in kinds:
        np.testing.assert_array_equal(make(hearts, 2, masks=masks).images, expected)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((8, 8), np.uint8), r"masks: expected \(2, 16, 16\), got \(2, 8, 8\)"),
        (np.full((16, 16), 4, np.uint8), "masks: expected whole labels 0 to 3"),
        (np.zeros((16, 16), np.float32), "masks: expected whole labels 0 to 3"),
    ],
)
def test_what_is_no_mask_is_refused(hearts, masks, message):
    with pytest.raises(ValueError, match=message):
        make(hearts, masks=masks)


def test_a_given_mask_has_its_quantities(hearts, ring):
    with pytest.raises(ValueError, match="masks: expected without quantities"):
        make(hearts, masks=ring, wall_thickness_mm=9)


@pytest.fixture
def seen(hearts, monkeypatch):
    """The timesteps at which each network paints in an action."""
    found = {"unet": [], "unet_2": []}
    for name in found:
        network = getattr(hearts, name)

        def note(sample, timestep, *inputs, name=name, forward=network.forward, **more):
            found[name].append(int(timestep))
            return forward(sample, timestep, *inputs, **more)

        monkeypatch.setattr(network, "forward", note)

    def seen(action) -> dict[str, list[int]]:
        for timesteps in found.values():
            timesteps.clear()
        action()
        return {name: list(timesteps) for name, timesteps in found.items()}

    return seen


def test_the_stages_share_the_timesteps(hearts, ring, seen):
    assert seen(lambda: make(hearts, 1, masks=ring)) == {"unet": [995, 746, 498], "unet_2": [249]}  # 400 and more, less
    assert hearts.network_evaluations() == 4 + 3
    assert hearts.network_evaluations(guidance_scale=2) == 4 + 3 + 3


def test_the_last_steps_are_small(hearts, ring, seen):
    hearts.register_to_config(last_ratio=0.1, last_steps=2)

    def called(**settings) -> dict[str, list[int]]:
        return seen(lambda: make(hearts, 1, masks=ring, **settings))

    assert called(num_inference_steps=6) == {"unet": [995, 771, 548], "unet_2": [324, 100, 25]}
    assert hearts.network_evaluations(6, guidance_scale=2) == 6 + 3 + 3
    assert called(num_inference_steps=2) == {"unet": [995, 498], "unet_2": []}  # no more than the last ones
    # Part of the way back
    image = torch.rand(1, 1, 16, 16)
    for alpha_bar, timesteps in {0.5: [495, 100, 25], 0.97: [103, 100, 25], 0.99: [56, 25], 0.9999: [1]}.items():
        found = seen(lambda alpha_bar=alpha_bar: hearts.project(image, alpha_bar=alpha_bar))
        assert found["unet"] + found["unet_2"] == timesteps
    # A scheduler that takes no timesteps of the caller's
    hearts.scheduler = DDIMScheduler.from_config(hearts.scheduler.config)
    assert called(num_inference_steps=4) == {"unet": [750, 500], "unet_2": [250, 0]}


def test_last_steps_need_their_share(hearts):
    parts = [hearts.anatomy, hearts.anatomy_scheduler, hearts.unet.from_config(hearts.unet.config), hearts.scheduler]
    with pytest.raises(ValueError, match="last_ratio, last_steps: expected both or none"):
        type(hearts)(*parts, last_steps=2)


class TestEdit:
    def edit(self, hearts, ring, change=2.0, **settings):
        images = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
        generator = sample_generators(0, range(1))
        return images, hearts.edit(images, ring[None], change, generator=generator, output_type="pt", **settings)

    def test_the_wall_changes_and_what_is_far_stays_identical(self, hearts, ring):
        mask = np.zeros_like(ring)
        mask[4:12, 4:12] = ring[4:12, 4:12]  # a smaller heart: the corners are farther than 3 mm
        images, output = self.edit(hearts, mask, 1.0)
        changed = (output.images != images)[0, 0]
        assert changed.any()
        far = torch.ones(16, 16, dtype=torch.bool)
        far[2:14, 2:14] = False  # 3 mm are one and a half pixels
        assert not changed[far].any()
        assert (output.masks[0] == 3).sum() < (mask == 3).sum()

    def test_it_depends_on_the_seed(self, hearts, ring):
        _, one = self.edit(hearts, ring)
        _, same = self.edit(hearts, ring)
        assert torch.equal(one.images, same.images)

    def test_arrays_are_taken_and_given(self, hearts, ring):
        images, expected = self.edit(hearts, ring)
        array = images.movedim(1, -1).numpy()
        output = hearts.edit(array, ring[None], 2.0, generator=sample_generators(0, range(1)), output_type="np")
        np.testing.assert_allclose(output.images, expected.images.movedim(1, -1), atol=1e-6)
        np.testing.assert_array_equal(output.masks, expected.masks)

    def test_a_cavity_that_vanishes_is_refused(self, hearts, ring):
        with pytest.raises(ValueError, match="at least 30 are expected"):
            self.edit(hearts, ring, 6.0)

    def test_images_of_another_range_or_size_are_refused(self, hearts, ring):
        with pytest.raises(ValueError, match=r"images: expected values in \[0, 1\]"):
            hearts.edit(torch.full((1, 1, 16, 16), 255.0), ring[None], 1.0)
        with pytest.raises(ValueError, match=r"images: expected \(1, 16, 16\) each"):
            hearts.edit(torch.zeros(1, 1, 8, 8), ring[None], 1.0)
