"""The first stages of EfficientNet-Lite0, as they are published beside a model."""

import pytest
import torch

from zoo.metrics.extractors import EfficientNetLite0Extractor
from zoo.models import EfficientNetLiteStages
from zoo.style.networks import efficientnet_lite0_stages


@pytest.mark.parametrize("size", [64, 45])
def test_they_are_those_of_the_whole_network(size):
    stages, whole = efficientnet_lite0_stages(), EfficientNetLite0Extractor().network
    images = 2 * torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) - 1
    expected = torch.nn.functional.relu6(whole._conv_stem(images))
    for block in whole._blocks[:5]:
        expected = block(expected)
    assert expected.shape == (2, 40, -(-size // 8), -(-size // 8))
    torch.testing.assert_close(stages(images), expected)
    assert len(stages.layers) == 2 + 5
    assert not any(parameter.requires_grad for parameter in stages.parameters())


def test_round_trip(tmp_path):
    stages = efficientnet_lite0_stages()
    stages.save_pretrained(tmp_path)
    loaded = EfficientNetLiteStages.from_pretrained(tmp_path)
    assert loaded.config.num_blocks == 5
    images = torch.zeros(1, 3, 32, 32)
    assert torch.equal(loaded(images), stages(images))
