import pytest
import torch
import torch.nn.functional as F

from zoo.models import ACGANDiscriminator, ACGANGenerator

NAMES = {"pathology": ["NOR", "HCM", "DCM"], "phase": ["ED", "ES"]}
SHARES = {"pathology": [0.2, 0.3, 0.5], "phase": [0.5, 0.5]}


def build(
    size: int = 16, channels: int = 1, upsampling: str = "transposed", **settings
) -> tuple[ACGANGenerator, ACGANDiscriminator]:
    common = {"conditions": list(NAMES), "class_names": NAMES, "sample_size": size, "base_channels": 4}
    own = {"latent_dim": 5, "embedding_dim": 3, "upsampling": upsampling}
    generator = ACGANGenerator(class_frequencies=SHARES, out_channels=channels, **own, **common)
    return generator, ACGANDiscriminator(in_channels=channels, **common, **settings)


@pytest.mark.parametrize("upsampling", ["transposed", "bilinear"])
@pytest.mark.parametrize(("size", "channels"), [(64, 1), (64, 3), (128, 1), (128, 3), (45, 1)])
def test_shapes_and_range(size, channels, upsampling):
    generator, discriminator = build(size, channels, upsampling)
    images = generator(torch.randn(2, 5), torch.tensor([[0, 1], [3, 2]])).sample
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert [tuple(output.shape) for output in discriminator(images)] == [(2,), (2, 3), (2, 2)]


def test_without_labels_all_conditions_are_left_open():
    generator = build()[0].eval()
    latents = torch.randn(2, 5)
    assert generator.open_labels.tolist() == [3, 2]
    assert torch.equal(generator(latents).sample, generator(latents, torch.tensor([[3, 2]] * 2)).sample)


def test_a_label_left_open_adds_nothing_and_learns_nothing():
    generator = build()[0]
    generator(torch.randn(4, 5), torch.tensor([[0, 1], [1, 2], [3, 0], [3, 2]])).sample.square().sum().backward()
    for table in generator.embeddings:
        assert table.weight[-1].abs().max() == 0 and table.weight.grad[-1].abs().max() == 0
        assert table.weight[0].abs().max() > 0 and table.weight.grad[0].abs().max() > 0


def test_every_class_of_every_condition_makes_another_image():
    torch.manual_seed(0)
    generator = build()[0].eval()
    for table in generator.embeddings:
        table.weight.data *= 50  # as if trained: they begin small
    labels = torch.cartesian_prod(torch.arange(4), torch.arange(3))
    images = generator(torch.ones(len(labels), 5), labels).sample.flatten(1)
    distances = torch.cdist(images, images) + torch.eye(len(labels))
    assert distances.min() > 1e-4


@pytest.mark.parametrize("settings", [{}, {"norm": "none"}, {"norm": "instance"}])
def test_a_few_steps_teach_the_discriminator_the_classes(settings):
    torch.manual_seed(0)
    discriminator = build(**settings)[1]
    labels = torch.arange(24) % 3
    images = 0.3 * torch.randn(24, 1, 16, 16)
    for row, label in enumerate(labels):
        images[row, :, 4 * label : 4 * label + 4] += 1  # a bright band whose height tells the class
    optimizer = torch.optim.Adam(discriminator.parameters(), 2e-3)
    for _ in range(30):
        loss = F.cross_entropy(discriminator(images)[1], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (discriminator(images)[1].argmax(1) == labels).float().mean() > 0.9


def test_seeded_slice():
    torch.manual_seed(0)
    generator = build(8)[0].eval()
    found = generator(torch.ones(1, 5), torch.tensor([[1, 0]])).sample[0, 0, :3, :3].flatten()
    expected = torch.tensor([10.6878, 10.4739, 10.7181, 10.6551, 8.9391, 11.0349, 10.9011, 10.4609, 9.0798])
    torch.testing.assert_close(100 * found, expected, atol=1e-3, rtol=0)


def test_saved_and_loaded_weights_are_the_same(tmp_path):
    generator, discriminator = (network.eval() for network in build())
    generator.save_pretrained(tmp_path / "generator")
    discriminator.save_pretrained(tmp_path / "discriminator")
    inputs = torch.randn(2, 5), torch.tensor([[0, 1], [2, 2]])
    images = generator(*inputs).sample
    assert torch.equal(images, ACGANGenerator.from_pretrained(tmp_path / "generator")(*inputs).sample)
    loaded = ACGANDiscriminator.from_pretrained(tmp_path / "discriminator")(images)
    torch.testing.assert_close(loaded, discriminator(images))


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="sample_size: expected at least 8, got 6"):
        build(6)
    with pytest.raises(ValueError, match="norm: expected"):
        build(norm="layer")
    with pytest.raises(ValueError, match='upsampling: expected "transposed" or "bilinear", got \'nearest\''):
        build(upsampling="nearest")
