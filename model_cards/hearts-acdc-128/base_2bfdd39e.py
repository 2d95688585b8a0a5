"""What every pipeline of the zoo shares: seeds, class names and output types. It is published beside each pipeline."""

import functools
import hashlib
import inspect
import weakref

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput

try:  # saving and loading without remote code; a Hub user with diffusers alone does without it
    import zoo.published.saving as _mixin

    _MIXINS = (_mixin.PublishedPipelineMixin,)
except ImportError:
    _MIXINS = ()


def sample_generators(seed: int, indices) -> list[torch.Generator]:
    """One generator a sample, which depends on the seed and on the sample's index alone.

    Args:
        seed (`int`): The seed that the user named.
        indices (iterable of `int`): Which samples; `range(8, 16)` continues `range(8)`.

    Returns:
        `list[torch.Generator]`: CPU generators, so that every device starts from the same noise.
    """
    digests = (hashlib.sha256(f"{seed}/{index}".encode()).digest() for index in indices)
    return [torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1) for digest in digests]


_LAST = weakref.WeakKeyDictionary()
"""By the first network of a pipeline and the pipeline's class: all its networks, and its settings."""


def keeps_settings(init):
    """Registers the arguments of an `__init__` in the config, and lets `cls(**pipe.components)` keep them.

    An argument that is no component, and that a call leaves out, is what the last pipeline of this class of the very
    same networks had, or else its default. diffusers drops it: an InfoGAN would lose its codes without a word.
    """
    signature = inspect.signature(init)

    @functools.wraps(init)
    def registering(self, *args, **kwargs):
        given = dict(signature.bind(self, *args, **kwargs).arguments)
        given.pop("self", None)
        components, settings = self._get_signature_keys(self)
        networks = [part for name in components if isinstance(part := given.get(name), torch.nn.Module)]
        known, last = _LAST.get(networks[0], {}).get(type(self), ([], {})) if networks else ([], {})
        if [network() for network in known] == networks:
            given = last | given
        defaults = {name: signature.parameters[name].default for name in settings}
        init(self, **(defaults | given))
        whole = {name: (defaults | given)[name] for name in defaults if name not in self.config}
        self.register_to_config(**whole)

    return registering


class ZooPipeline(*_MIXINS, DiffusionPipeline):
    """Base of the zoo's pipelines. A subclass says how images are made; this class turns seeds and names into tensors.

    One generator and a list of generators differ on purpose. From one a seed is drawn, of which each sample gets a
    generator of its own, so that sample *i* depends on the seed and on *i* alone, whatever the batch size: the first
    four of eight samples are the four of a batch of four. A list is taken as it is, one generator a sample, so that
    `[generator]` gives another image than `generator`; `sample_generators` makes the list that continues a batch.

    Class attributes:
        family (`str`): The short name of the method, as it stands in the results table.
        projection_method (`str`): How `project` finds the latent, in words.
        projection_settings (`tuple[dict]`): The settings of `project` that the protocol reports.
        projection_headline (`dict`): The one of them that stands in the table.
    """

    family = ""
    projection_method = ""
    projection_settings: tuple[dict, ...] = ({},)
    projection_headline: dict = {}

    @property
    def class_names(self) -> dict[str, list[str]]:
        """Classes that may be asked for, by condition; the first condition is the one of `class_labels`."""
        config = self._class_config
        return {name: list(config["class_names"][name]) for name in config.get("conditions", [])}

    @property
    def _class_config(self) -> dict:
        """The config of the network that names `conditions`, `class_names` and `class_frequencies`, or an empty one."""
        configs = (getattr(component, "config", {}) for component in self.components.values())
        return next((config for config in configs if "conditions" in config), {})

    def register_to_config(self, **settings) -> None:
        """As in diffusers; `keeps_settings` finds them again."""
        super().register_to_config(**settings)
        components, names = self._get_signature_keys(self)
        networks = [part for name in components if isinstance(part := vars(self).get(name), torch.nn.Module)]
        if networks:
            kept = {name: self.config[name] for name in names if name in self.config}
            _LAST.setdefault(networks[0], {})[type(self)] = ([weakref.ref(network) for network in networks], kept)

    @classmethod
    def from_pipe(cls, pipeline, **kwargs):
        """As in diffusers, of any pipeline with the same components; settings that this class knows too go over."""
        expected, _ = cls._get_signature_keys(cls)
        # Named, since diffusers would hand on those alone whose classes are annotated; here a class may be loaded twice
        shared = {name: part for name, part in pipeline.components.items() if name in expected}
        return super().from_pipe(pipeline, **(shared | kwargs))

    @property
    def default_settings(self) -> dict:
        """The sampling settings that a call without arguments uses."""
        return {}

    def network_evaluations(self, **settings) -> int:
        """How many times the network runs for one sample."""
        return 1

    def _generators(self, generator, batch_size: int) -> list[torch.Generator]:
        """One CPU generator a sample from what the caller gave: nothing, one, or a list, taken as it is.

        Raises:
            ValueError: If `batch_size` is not positive or a list has another length.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        if isinstance(generator, list | tuple):
            if len(generator) != batch_size:
                raise ValueError(f"generator: expected a list of {batch_size} (batch_size), got {len(generator)}")
            return list(generator)
        # A number drawn from the caller's generator, not its seed: a second call with it gives new samples.
        device = "cpu" if generator is None else generator.device
        seed = torch.randint(2**62, (1,), generator=generator, device=device).item()
        return sample_generators(seed, range(batch_size))

    def _temperature(self, temperature: float | None) -> float:
        """What a one-pass generator's normal latent is multiplied by: what the call names, or the model's own.

        Raises:
            ValueError: If it is not above 0.
        """
        value = self.config.default_temperature if temperature is None else temperature
        if not value > 0:
            raise ValueError(f"temperature: expected a number above 0, got {value}")
        return value

    @staticmethod
    def _randn(generators: list[torch.Generator], shape: tuple[int, ...]) -> torch.Tensor:
        """`(len(generators), *shape)` standard normal float32 numbers on the CPU, a row from each generator."""
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators])

    def _noise(self, generators: list[torch.Generator], shape: tuple[int, ...], latents=None) -> torch.Tensor:
        """The standard normal numbers that sampling starts from, `(len(generators), *shape)`.

        They are drawn even if the caller gives them, so that what is drawn afterwards does not depend on that.

        Raises:
            ValueError: If `latents` are of another shape.
        """
        drawn = self._randn(generators, shape)
        if latents is None:
            return drawn
        if tuple(latents.shape) != tuple(drawn.shape):
            raise ValueError(f"latents: expected {tuple(drawn.shape)}, got {tuple(latents.shape)}")
        return latents

    @staticmethod
    def _label_indices(labels, name: str, names: list[str], batch_size: int) -> list[int]:
        """Turns a name, an index or a list of them into `batch_size` class indices; "any" is `len(names)`.

        Raises:
            ValueError: If a name or index is unknown, or a list has another length than `batch_size`.
        """
        if isinstance(labels, torch.Tensor | np.ndarray):
            labels = labels.tolist()
        if not isinstance(labels, list | tuple):
            labels = [labels] * batch_size
        if len(labels) != batch_size:
            raise ValueError(f"{name}: expected one class or {batch_size} (batch_size), got {len(labels)}")
        known = [*names, "any"]
        indices = []
        for label in labels:
            if label in known:
                indices.append(known.index(label))
            elif isinstance(label, int) and not isinstance(label, bool) and 0 <= label <= len(names):
                indices.append(label)
            else:
                raise ValueError(f"{name}: unknown class {label!r}, expected one of {', '.join(known)} or an index")
        return indices

    def draw_labels(self, class_labels, conditions: dict, generators: list[torch.Generator]) -> torch.Tensor:
        """The classes of a call: what is `None` is drawn with the frequencies of the training images.

        A number is drawn for every condition, also for those that are given, so that the noise drawn afterwards does
        not depend on what was asked for.

        Args:
            class_labels: As in the call.
            conditions (`dict`): The further conditions, as in the call.
            generators (`list[torch.Generator]`): One a sample; they move on by as many numbers as there are conditions.

        Returns:
            `torch.Tensor` of shape `(len(generators), num_conditions)`: Class indices.

        Raises:
            ValueError: If a condition or class is unknown.
        """
        names = self.class_names
        if class_labels is not None and not names:
            raise ValueError("class_labels: expected None, this model is not conditional on a class")
        if unknown := set(conditions) - set(names):
            known = f"the conditions of this model are {', '.join(names)}" if names else "this model has no conditions"
            raise ValueError(f"{min(unknown)}: unknown argument, {known}")
        draws = torch.stack([torch.rand(len(names), generator=generator) for generator in generators])
        labels = torch.empty(draws.shape, dtype=torch.int64)
        for column, (name, classes) in enumerate(names.items()):
            asked = conditions.get(name)
            if column == 0 and class_labels is not None:
                asked, name = class_labels, "class_labels"
            if asked is None:
                shares = torch.tensor(self._class_config["class_frequencies"][name]).cumsum(0)
                indices = torch.bucketize(draws[:, column] * shares[-1], shares, right=True).clamp(max=len(classes) - 1)
            else:
                indices = torch.tensor(self._label_indices(asked, name, classes, len(generators)))
            labels[:, column] = indices
        return labels.to(self._execution_device)

    def _finite(self, numbers: torch.Tensor) -> torch.Tensor:
        """The numbers themselves.

        Raises:
            ValueError: If one is not finite, as where a network overflows in half precision.
        """
        if not numbers.isfinite().all():
            raise ValueError(f"dtype: the networks overflow in {self.dtype}, expected torch.float32")
        return numbers

    def _intensities(self, images: torch.Tensor) -> torch.Tensor:
        """Images in [-1, 1] as float32 in [0, 1] on the CPU: the one way by which pictures leave a pipeline.

        Raises:
            ValueError: If a number is not finite.
        """
        return (self._finite(images).float() / 2 + 0.5).clamp(0, 1).cpu()

    def _output(self, images: torch.Tensor, output_type: str, return_dict: bool):
        """Wraps images in [-1, 1] in the output type that was asked for.

        Args:
            images (`torch.Tensor` of shape `(batch_size, channels, height, width)`): In [-1, 1].
            output_type (`str`): `"pil"`, `"np"` for `(batch_size, height, width, channels)` or `"pt"` for
                `(batch_size, channels, height, width)`, the arrays in float32 in [0, 1].
            return_dict (`bool`): Whether to return an `ImagePipelineOutput` or a tuple.

        Raises:
            ValueError: If `output_type` is none of the three, or a number is not finite.
        """
        images = self._intensities(images)
        if output_type == "np":
            images = images.permute(0, 2, 3, 1).numpy()
        elif output_type == "pil":
            images = self.numpy_to_pil(images.permute(0, 2, 3, 1).numpy())
        elif output_type != "pt":
            raise ValueError(f'output_type: expected "pil", "np", "pt" or "latent", got {output_type!r}')
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _latent_output(self, latents: torch.Tensor, return_dict: bool):
        """What output type `"latent"` gives: the latents as they are."""
        self.maybe_free_model_hooks()
        latents = self._finite(latents)
        return ImagePipelineOutput(images=latents) if return_dict else (latents,)
