"""What a run of several sittings leaves for another machine: weights, their average, and how far it has come."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from common.checkpoint import Checkpoint
from common.yaml_file import read_yaml
from zoo.errors import ZooError
from zoo.files import atomic_folder

FILE = "state.safetensors"
LIMIT = 10 * 2**20  # bytes


def write_state(run: Path, folder: Path) -> Path:
    """Writes the state of a run's last checkpoint, in half precision, and returns its folder.

    Where weights and average together are too large, the average alone is kept, from which the run goes on.

    Raises:
        ZooError: If the run has no checkpoint, or the state is larger than 10 MiB.
    """
    checkpoint = Checkpoint(run / "checkpoints").find()
    if checkpoint is None:
        raise ZooError(f"{run / 'checkpoints' / 'last'}: not found, expected the checkpoint of a run")
    files = sorted(checkpoint.glob("custom_checkpoint_*.pkl"), key=lambda file: int(file.stem.rpartition("_")[2]))
    kept = [torch.load(file, map_location="cpu", weights_only=True) for file in files]
    progress = next(state for state in kept if "images_seen" in state)
    average = next((state for state in kept if "shadow_params" in state), None)
    schedulers = [state for state in kept if state is not progress and state is not average]

    tensors = {}
    networks = sorted(checkpoint.glob("model*.safetensors"), key=lambda file: (len(file.stem), file.stem))
    for number, file in enumerate(networks):
        tensors |= {f"{number}.{name.removeprefix('module.')}": value for name, value in load_file(file).items()}
    shadows = average["shadow_params"] if average else []
    tensors |= {f"average.{number}": value for number, value in enumerate(shadows)}
    tensors = {name: _half(value).contiguous() for name, value in tensors.items()}  # some are channels-last
    if _size(tensors) > LIMIT and shadows:  # vectors stay: buffers are among them
        tensors = {name: value for name, value in tensors.items() if not name.startswith("0.") or value.ndim < 2}
    if (size := _size(tensors)) > LIMIT:
        raise ZooError(f"{run}: its state has {size / 2**20:.1f} MiB, expected at most {LIMIT / 2**20:g}")

    file = checkpoint / "run.json"
    origin = json.loads(file.read_text()) if file.is_file() else {"recipe": read_yaml(run / "recipe.yaml")}
    about = progress | origin | {"seed": origin["recipe"]["seed"], "schedulers": schedulers}
    about |= {"average_step": average["optimization_step"] if average else 0}
    with atomic_folder(folder) as temporary:
        save_file(tensors, temporary / FILE, {key: json.dumps(value) for key, value in about.items()})
    return folder


class State:
    """A state, read from its folder.

    Args:
        folder (`Path`): As `write_state` leaves it.

    Raises:
        ZooError: If there is none, or it cannot be read.
    """

    def __init__(self, folder: Path):
        self.file = folder / FILE
        if not self.file.is_file():
            raise ZooError(f"{self.file}: not found, expected what training/state.py leaves")
        try:
            with safe_open(self.file, "pt") as file:
                self.about = {key: json.loads(text) for key, text in (file.metadata() or {}).items()}
            self.tensors = load_file(self.file)
            self.recipe, self.schedulers = self.about.pop("recipe"), self.about.pop("schedulers")
            self.average_step = self.about.pop("average_step")
        except (SafetensorError, ValueError, KeyError) as error:
            raise ZooError(f"{self.file}: expected a state of training/state.py ({error})") from error

    def restore(self, networks, averages, schedulers, progress) -> None:
        """Puts everything in its place; the optimisers stay as new, at the learning rate that the schedules are at.

        Args:
            networks (`list[torch.nn.Module]`): As the run has prepared them, unwrapped.
            averages (`list[EMAModel]`): Of the first network, or none.
            schedulers (`list[LRScheduler]`): As the run registers them.
            progress (`Progress`): Of the run.

        Raises:
            ZooError: If a network, its average or the number of schedules is another.
        """
        for number, network in enumerate(networks):
            own = network.state_dict()
            found = {name: self.tensors.get(f"{number}.{name}") for name in own}
            if number == 0 and averages:  # where the average alone is kept
                found = {name: own[name] if value is None else value for name, value in found.items()}
            for name, value in found.items():
                self._check(f"{number}.{name}", value, own[name])
            network.load_state_dict(found)
        for average in averages:
            for number, shadow in enumerate(average.shadow_params):
                value = self.tensors.get(f"average.{number}")
                self._check(f"average.{number}", value, shadow)
                shadow.copy_(value)
            average.optimization_step = self.average_step
            if not any(name.startswith("0.") and value.ndim > 1 for name, value in self.tensors.items()):
                average.copy_to(networks[0].parameters())
        if len(schedulers) != len(self.schedulers):
            raise ZooError(f"{self.file}: has {len(self.schedulers)} schedules, the run {len(schedulers)}")
        for scheduler, state in zip(schedulers, self.schedulers, strict=True):
            scheduler.load_state_dict(state)
            for group, rate in zip(scheduler.optimizer.param_groups, scheduler.get_last_lr(), strict=True):
                group["lr"] = rate
        progress.load_state_dict({key: value for key, value in self.about.items() if key in vars(progress)})
        progress.restarts += 1

    def _check(self, name: str, value: torch.Tensor | None, expected: torch.Tensor) -> None:
        if value is None or value.shape != expected.shape:
            found = "none" if value is None else tuple(value.shape)
            raise ZooError(f"{self.file}: {name}: expected a tensor of shape {tuple(expected.shape)}, found {found}")


def _half(tensor: torch.Tensor) -> torch.Tensor:
    """In float16 where its numbers fit."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    return half if half.isfinite().all() else tensor


def _size(tensors: dict[str, torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())
