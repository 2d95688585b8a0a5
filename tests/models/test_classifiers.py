"""SkinLesNet and the ResNet-50: what both promise, and what each is made of."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import ResNetConfig, ResNetModel

from zoo.models import ResNet50Classifier, ResNet50ClassifierConfig, SkinLesNet, SkinLesNetConfig

# In this order on purpose: a saved config sorts the keys of a dict
CONDITIONS = ["pathology", "level", "phase"]
CLASSES = {"pathology": ["NOR", "HCM", "DCM"], "level": ["basal", "mid", "apical", "none"], "phase": ["ED", "ES"]}
SMALL_RESNET = {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1]}


def skinlesnet(**settings) -> SkinLesNet:
    torch.manual_seed(0)
    return SkinLesNet(
        SkinLesNetConfig(CONDITIONS, CLASSES, 16, block_out_channels=[4, 8], hidden_features=12, **settings)
    ).eval()


def resnet(**settings) -> ResNet50Classifier:
    torch.manual_seed(0)
    return ResNet50Classifier(
        ResNet50ClassifierConfig(CONDITIONS, CLASSES, **SMALL_RESNET, head_features=[16, 12], **settings)
    ).eval()


@pytest.mark.parametrize("build", [skinlesnet, resnet])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(build, channels):
    network, images = build(in_channels=channels), torch.rand(2, channels, 16, 16) * 2 - 1
    assert {name: scores.shape[1] for name, scores in network(images).by_condition.items()} == {
        "pathology": 3,
        "level": 4,
        "phase": 2,
    }
    assert network.features(images).shape == (2, 12)


@pytest.mark.parametrize("build", [skinlesnet, resnet])
def test_a_saved_network_gives_each_condition_the_same_answer(build, tmp_path):
    network, images = build(), torch.rand(2, 1, 16, 16)
    network.save_pretrained(tmp_path)
    loaded = type(network).from_pretrained(tmp_path)
    assert list(loaded(images).by_condition) == CONDITIONS
    for name, scores in network(images).by_condition.items():
        assert torch.equal(scores, loaded(images).by_condition[name])


@pytest.mark.parametrize("build", [skinlesnet, resnet])
def test_one_step_lowers_the_loss(build):
    network = build()
    images, labels = torch.rand(8, 1, 16, 16), torch.arange(8) % 3
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    before = F.cross_entropy(network(images).by_condition["pathology"], labels)
    before.backward()
    optimizer.step()
    assert F.cross_entropy(network(images).by_condition["pathology"], labels) < before


def test_seeded_slice():
    found = torch.cat(list(skinlesnet()(torch.linspace(-1, 1, 256).reshape(1, 1, 16, 16)).by_condition.values()), 1)[0]
    expected = torch.tensor([0.26805, -0.05858, -0.23053, 0.12966, 0.0086, 0.06442, -0.07603, 0.12815, 0.1119])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_skinlesnet_has_four_convolutions_and_two_linear_layers():
    network = SkinLesNet(SkinLesNetConfig(["label"], {"label": ["benign", "malignant"]}, 64, 3))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [convolution.kernel_size for convolution in convolutions] == [(3, 3)] * 4
    assert sum(isinstance(module, nn.MaxPool2d) for module in network.modules()) == 4
    assert sum(isinstance(module, nn.Linear) for module in network.modules()) == 2


def test_resnet50_has_the_head_of_the_study():
    with torch.device("meta"):
        network = ResNet50Classifier(ResNet50ClassifierConfig(["label"], {"label": ["benign", "malignant"]}))
    widths = [module.out_features for module in network.modules() if isinstance(module, nn.Linear)]
    assert widths == [1024, 512, 256, 128, 64, 2]
    convolutions = sum(isinstance(module, nn.Conv2d) for module in network.modules())
    assert convolutions == 49 + 4  # with the one linear layer that the head replaces fifty, and four projections


def test_trained_weights_of_a_backbone_are_taken_and_fixed(tmp_path):
    torch.manual_seed(1)
    trained = ResNetModel(ResNetConfig(**SMALL_RESNET))
    trained.save_pretrained(tmp_path)
    network = resnet()
    network.load_backbone(str(tmp_path))
    for name, weight in trained.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[name], weight)
    moving = {name.split(".")[0] for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert moving == {"head", "scores"}


def test_refusals():
    with pytest.raises(ValueError, match="sample_size: expected a multiple of 16, got 40"):
        SkinLesNet(SkinLesNetConfig(CONDITIONS, CLASSES, 40))
    with pytest.raises(ValueError, match="in_channels: expected 1 or 3, got 2"):
        resnet(in_channels=2)
