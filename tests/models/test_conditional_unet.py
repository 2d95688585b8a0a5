import pytest
import torch
from diffusers import UNet2DModel

from zoo.models import ConditionalUNet2DModel


@pytest.fixture
def unet() -> ConditionalUNet2DModel:
    torch.manual_seed(0)
    return ConditionalUNet2DModel(
        conditions=["pathology", "phase"],
        class_names={"pathology": ["NOR", "HCM", "DCM"], "phase": ["ED", "ES"]},
        class_frequencies={"pathology": [0.5, 0.25, 0.25], "phase": [0.5, 0.5]},
        sample_size=16,
        block_out_channels=[8, 16],
        attention_levels=[1],
        attention_head_dim=8,
        norm_num_groups=4,
    ).eval()


def test_shape_and_seeded_slice(unet):
    sample = torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16)
    out = unet(sample, 10, torch.tensor([[1, 0]])).sample
    assert out.shape == (1, 1, 16, 16)
    expected = torch.tensor([-0.0965, 0.1836, 0.5951, 0.3544, 0.3014, 0.6182, -0.2596, 0.3687, 0.4258])
    torch.testing.assert_close(out[0, 0, :3, :3].flatten(), expected, atol=1e-4, rtol=0)


def test_every_condition_matters_and_none_means_all_open(unet):
    sample = torch.randn(1, 1, 16, 16)
    outputs = [unet(sample, 10, torch.tensor([labels])).sample for labels in ([0, 0], [1, 0], [0, 1], [3, 2])]
    for index, one in enumerate(outputs):
        assert all(not torch.allclose(one, other) for other in outputs[index + 1 :])
    assert unet.open_labels.tolist() == [3, 2]
    assert torch.equal(unet(sample, 10).sample, outputs[-1])


def test_the_unconditional_unet_is_the_same_function(unet):
    plain = unet.unconditional_unet().eval()
    assert type(plain) is UNet2DModel
    sample = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(plain(sample, 7).sample, unet(sample, 7).sample, atol=1e-5, rtol=1e-5)
    with torch.no_grad():  # its weights are its own
        plain.conv_in.weight.zero_()
    assert unet.unet.conv_in.weight.abs().sum() > 0


def test_saved_and_loaded_weights_are_the_same(unet, tmp_path):
    unet.save_pretrained(tmp_path)
    loaded = ConditionalUNet2DModel.from_pretrained(tmp_path)
    sample = torch.randn(1, 1, 16, 16)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in unet.state_dict().items())
    torch.testing.assert_close(unet(sample, 3).sample, loaded(sample, 3).sample)
    assert loaded.config.class_names["pathology"] == ["NOR", "HCM", "DCM"]


def test_without_conditions_it_is_a_plain_unet():
    network = {"sample_size": 8, "block_out_channels": [4, 4], "attention_levels": []}
    network |= {"norm_num_groups": 2, "attention_head_dim": 4}
    unet = ConditionalUNet2DModel(conditions=[], class_names={}, class_frequencies={}, **network).eval()
    sample = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(unet(sample, 3).sample, unet.unconditional_unet()(sample, 3).sample)
    assert unet.open_labels.shape == (0,)


class TestQuantitiesAndMaps:
    @pytest.fixture
    def told(self) -> ConditionalUNet2DModel:
        torch.manual_seed(0)
        ranges = {
            "wall_mm": {"mean": 9.0, "std": 3.0, "min": 4.0, "max": 20.0},
            "area_mm2": {"mean": 900.0, "std": 300.0, "min": 40.0, "max": 2000.0},
        }
        network = ConditionalUNet2DModel(
            conditions=[],
            class_names={},
            class_frequencies={},
            sample_size=16,
            block_out_channels=[8, 16],
            attention_levels=[],
            attention_head_dim=8,
            norm_num_groups=4,
            map_channels=2,
            quantities=list(ranges),
            quantity_ranges=ranges,
        )
        return network.eval()

    def predict(self, network, values=None, maps=None):
        maps = torch.zeros(1, 2, 16, 16) if maps is None else maps
        values = None if values is None else torch.tensor([values])
        return network(torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16), 10, quantities=values, maps=maps).sample

    def test_each_quantity_matters_and_nan_is_open(self, told):
        nan = float("nan")
        outputs = [self.predict(told, values) for values in ([9.0, 900.0], [12.0, 900.0], [9.0, 999.0], [nan, 900.0])]
        for index, one in enumerate(outputs):
            assert all(not torch.allclose(one, other) for other in outputs[index + 1 :])
        assert torch.equal(self.predict(told), self.predict(told, [nan, nan]))

    def test_each_value_finds_its_quantity_after_saving(self, told, tmp_path):
        told.save_pretrained(tmp_path)
        loaded = ConditionalUNet2DModel.from_pretrained(tmp_path).eval()
        assert torch.equal(self.predict(loaded, [12.0, 400.0]), self.predict(told, [12.0, 400.0]))

    def test_an_open_quantity_has_a_gradient_without_nan(self, told):
        self.predict(told, [float("nan"), 900.0]).square().mean().backward()
        gradients = [p.grad for p in told.quantity_embedding.parameters() if p.grad is not None]
        assert gradients and all(gradient.isfinite().all() for gradient in gradients)

    def test_a_map_is_seen_and_not_predicted(self, told):
        assert self.predict(told).shape == (1, 1, 16, 16)
        assert not torch.allclose(self.predict(told), self.predict(told, maps=torch.ones(1, 2, 16, 16)))
