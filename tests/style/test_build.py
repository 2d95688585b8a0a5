"""The style of a set of images."""

import pytest
import torch

from zoo.models import EfficientNetLiteStages
from zoo.pipelines import StyleTransferPipeline
from zoo.style import average_style, build_style_transfer


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(256, (7, 1, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_the_average_is_that_of_the_images_styles(style_transfer, images):
    network = style_transfer.build_feature_network()
    style = average_style(network, images, batch_size=3)
    expected = [torch.stack([network.grams(i[None].float() / 255)[k][0] for i in images]).mean(0) for k in range(2)]
    torch.testing.assert_close([g[0] for g in style()], [g.detach() for g in expected])
    assert style.config.channels == [8, 8]
    assert not any(parameter.requires_grad for parameter in style.parameters())


def test_images_of_the_style_have_it(cvae, images):
    pipe = build_style_transfer(cvae.vae, images[:1], num_iterations=3)
    assert isinstance(pipe, StyleTransferPipeline)
    image = images[:1].float() / 255
    kept = pipe(content_images=image, content_weight=0.0, output_type="pt").images
    assert (kept - image).abs().max() < 0.05  # its own style is already there
    changed = pipe(content_images=1 - image, content_weight=0.0, output_type="pt").images
    assert torch.equal(
        pipe(content_images=1 - image, style_images=image, content_weight=0.0, output_type="pt").images, changed
    )


def test_efficientnet_styles_too(cvae, images):
    pipe = build_style_transfer(cvae.vae, images, feature_network="efficientnet-lite0", learning_rate=0.02)
    assert pipe.style.config.channels == [32, 16, 24, 40]
    network, noise = pipe.build_feature_network(), torch.Generator().manual_seed(0)
    output = pipe(1, generator=noise, output_type="pt", num_iterations=10)

    def distance(found: torch.Tensor) -> torch.Tensor:
        return sum((a - b).norm() / b.norm() for a, b in zip(network.grams(found), pipe.style(), strict=True))

    assert isinstance(pipe.feature_layers, EfficientNetLiteStages)  # so that it can be published
    assert distance(output.images) < 0.8 * distance(output.content_images)
