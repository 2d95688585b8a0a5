"""Networks as ONNX, each checked against torch before anything is written."""

import contextlib
import io
import json
import logging
import statistics
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch

import zoo
from zoo.cards.licence import LICENSE_FILE, licence_text
from zoo.errors import ZooError
from zoo.exports.drawing import Drawing, drawings
from zoo.exports.page import page
from zoo.files import atomic_folder
from zoo.hardware import describe_hardware
from zoo.published.layout import write_json
from zoo.published.loading import name_of
from zoo.published.metrics_file import load_metrics
from zoo.sources import source_of

ABOUT_FILE = "export.json"
TOLERANCE = 1e-3  # largest difference from torch, of the largest number of the output: 0.13 of 255 shades of an image
CHECKED = (1, 3, 8)  # batch sizes; an export that has made that of its example a constant fails
EXAMPLE = 2
REPEATS = 5


def export_onnx(folder: Path, output: Path) -> dict:
    """Writes the networks that a model draws with as ONNX of float32, with what a user of them must know beside them.

    Each takes and gives tensors whose first axis is the batch, of any size. It is run by onnxruntime on seeded inputs,
    and its output compared with torch's; the folder is whole or absent.

    Args:
        folder (`Path`): Of the model.
        output (`Path`): Folder to write: `COMPONENT.onnx`, `README.md`, `LICENSE`, `export.json`, schedulers.

    Returns:
        What `export.json` holds.

    Raises:
        ZooError: If onnxruntime is not installed, the model is none of passes of networks, or an output differs from
            torch's by more than `TOLERANCE`.
    """
    if missing := [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]:
        raise ZooError(f"{missing[0]}: not installed, run `pip install cardiac-mri-zoo[onnx]`")
    pipe = zoo.from_pretrained(folder)
    found = drawings(pipe)
    with atomic_folder(output) as target:
        about = {
            "model": name_of(folder),
            "family": pipe.family,
            "version": zoo.__version__,
            "pixel_spacing_mm": pipe.config.get("pixel_spacing_mm"),
            "settings": pipe.default_settings,
            "class_names": pipe.class_names,
            "quantities": getattr(pipe, "quantities", {}),
            "hardware": describe_hardware(torch.device("cpu")),
            "tolerance": TOLERANCE,
            "networks": {drawing.name: _export(drawing, target / f"{drawing.name}.onnx") for drawing in found},
        }
        for name, part in pipe.components.items():
            if "scheduler" in name:
                part.save_pretrained(target / name)
        data = load_metrics(folder).get("training", {}).get("dataset", {}).get("name")
        source = source_of(data)
        write_json(target / ABOUT_FILE, about)
        (target / LICENSE_FILE).write_text(licence_text(source.license, data, source.citation, has_code=False))
        (target / "README.md").write_text(page(about, source.license))
    return json.loads(json.dumps(about))


class _Tensors(torch.nn.Module):
    """A network as a function of tensors by position."""

    def __init__(self, drawing: Drawing):
        super().__init__()
        self.network, self.call = drawing.network, drawing.call

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.call(*tensors)


def _export(drawing: Drawing, file: Path) -> dict:
    """Writes one network, checks it, and says what goes in and out, how far it is from torch, and how fast.

    Raises:
        ZooError: If its output is not torch's.
    """
    import onnxruntime

    network = _Tensors(drawing).eval()
    example = drawing.inputs(EXAMPLE, torch.Generator().manual_seed(0))
    # diffusers' upsampling treats batches from 64 on in another way, with the same result; a tracer must not mix both
    batch = torch.export.Dim("batch", min=1, max=63)
    with _silence():
        program = torch.export.export(
            network, tuple(example.values()), dynamic_shapes=(tuple({0: batch} for _ in example),), strict=False
        )
        torch.onnx.export(
            program,
            (),
            file,
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=list(example),
            output_names=[drawing.output],
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    difference, seconds = 0.0, {}
    for batch_size in CHECKED:
        inputs = drawing.inputs(batch_size, torch.Generator().manual_seed(batch_size))
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        wanted, seconds["torch"] = _timed(lambda inputs=inputs: network(*inputs.values()))
        (got,), seconds["onnxruntime"] = _timed(lambda arrays=arrays: session.run(None, arrays))
        got = torch.from_numpy(got)
        if got.shape != wanted.shape:
            raise ZooError(f"{file.name}: expected {tuple(wanted.shape)} as of torch, got {tuple(got.shape)}")
        difference = max(difference, ((got - wanted).abs().max() / wanted.abs().max()).item())
    if not difference <= TOLERANCE:  # NaN is no number that is small enough
        raise ZooError(f"{file.name}: differs from torch by {difference:.2g}, expected at most {TOLERANCE}")
    return {
        "inputs": {name: [str(x.dtype).removeprefix("torch."), *x.shape[1:]] for name, x in example.items()},
        "output": [drawing.output, *wanted.shape[1:]],
        "largest_difference": difference,
        "milliseconds_per_image": {name: 1e3 * value / CHECKED[-1] for name, value in seconds.items()},
    }


@torch.no_grad()
def _timed(run) -> tuple:
    """What a function returns, and the median of its seconds."""
    found, times = run(), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = run()
        times.append(time.perf_counter() - start)
    return found, statistics.median(times)


@contextlib.contextmanager
def _silence():
    """Keeps the exporter's remarks on its own code from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
