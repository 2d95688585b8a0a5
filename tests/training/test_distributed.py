import torch
from torch import nn

from common.distributed import alone, has_batch_norm, save_without_wrapping


def test_synchronised_batch_norm_becomes_that_of_one_process_with_the_same_state():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()))
    network(torch.randn(4, 1, 8, 8))
    images = torch.randn(4, 1, 8, 8)
    expected = network.eval()(images)
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    assert isinstance(synchronised[1][0], nn.SyncBatchNorm) and has_batch_norm(synchronised)
    found = alone(synchronised)
    assert not any(isinstance(module, nn.SyncBatchNorm) for module in found.modules()) and has_batch_norm(found)
    assert torch.equal(found(images), expected)
    assert not has_batch_norm(nn.Conv2d(1, 3, 3))


def test_weights_are_saved_by_the_names_that_one_process_gives_them():
    weights = [{"module.0.weight": torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last)}]
    save_without_wrapping([], weights, "")
    assert list(weights[0]) == ["0.weight"] and weights[0]["0.weight"].is_contiguous()
