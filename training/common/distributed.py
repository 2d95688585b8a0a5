"""What networks and their checkpoints need where several processes train them."""

import torch


def has_batch_norm(network: torch.nn.Module) -> bool:
    """Whether a network takes statistics of its batches."""
    return any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules())


class _BatchNormOfOne(torch.nn.modules.batchnorm._BatchNorm):
    """BatchNorm of any number of dimensions."""

    def _check_input_dim(self, input) -> None:
        pass


def alone(network: torch.nn.Module) -> torch.nn.Module:
    """The network with BatchNorm of one process, for one that works without the others."""
    for parent in list(network.modules()):
        for name, module in parent.named_children():
            if isinstance(module, torch.nn.SyncBatchNorm):
                settings = module.eps, module.momentum, module.affine, module.track_running_stats
                norm = _BatchNormOfOne(module.num_features, *settings).to(module.weight)
                norm.load_state_dict(module.state_dict())
                setattr(parent, name, norm.train(module.training))
    return network


def save_without_wrapping(models, weights: list[dict], folder: str) -> None:
    """Takes off the prefix that several processes give the names of weights; safetensors takes no channels_last."""
    for number, state in enumerate(weights):
        weights[number] = {name.removeprefix("module."): value.contiguous() for name, value in state.items()}
