"""Compiling the networks of a pipeline, where the machine has a compiler."""

import torch

from zoo.errors import ZooError


def compile_networks(pipe) -> None:
    """Has every network that draws compiled by `torch.compile`, in place; weights and saving stay as they are.

    The first call of each network takes up to a minute, and another when the batch size changes for the first time.

    Raises:
        ZooError: If nothing can be compiled on this machine, with what the compiler says.
    """
    _try_out(pipe.device)
    for network in pipe.components.values():
        if isinstance(network, torch.nn.Module):
            network.compile()
            if hasattr(network, "decode"):  # an autoencoder draws by this method, not by a call
                network.decode = torch.compile(network.decode)


def _try_out(device: torch.device) -> None:
    """Compiles an addition: a missing compiler would show only when the first image is drawn."""
    try:
        torch.compile(lambda number: number + 1)(torch.zeros(1, device=device))
    except Exception as error:  # the backends of torch.compile have no common kind of error
        cause = error.__cause__ or error
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise ZooError(f"compile: torch.compile does not work on this machine ({reason}); leave it out") from error
