"""What a folder of samples was asked for, so that only the same call goes on with it."""

import hashlib
import json

import torch

import zoo


def request_of(pipe, arguments: dict) -> dict:
    """The arguments, with the model and the version of the library, as JSON holds them.

    The model is the hash of its weights and of its settings, so that one of the same name is not taken for it.
    """
    digest = hashlib.sha256()
    for name, component in sorted(getattr(pipe, "components", {}).items()):
        digest.update(f"{name} {type(component).__name__} {_settings(getattr(component, 'config', {}))}".encode())
        if hasattr(component, "state_dict"):
            for key, value in component.state_dict().items():
                content = value.detach().cpu().contiguous().flatten().view(torch.uint8)
                digest.update(f"{key} {value.dtype}".encode() + content.numpy().tobytes())
    digest.update(_settings(pipe.config).encode())
    content = {"model": digest.hexdigest(), "version": zoo.__version__, **arguments}
    return json.loads(json.dumps(content, default=str))


def _settings(config: dict) -> str:
    """A config without what says where it was loaded from, and with which version."""
    return json.dumps({key: config[key] for key in sorted(config) if not key.startswith("_")}, default=str)
