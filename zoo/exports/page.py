"""The README of an export."""

from zoo.cards.licence import LICENSES

ONE_PASS = """
```python
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("{name}.onnx")
latents = np.random.default_rng(0).standard_normal((16, {latent_dim})).astype(np.float32)
{labels}(images,) = session.run(None, {{"latents": latents{more}}})  # (16, channels, height, width) in [-1, 1]
```
"""
IN_STEPS = """
The networks are called once a step. The loop around them is in `zoo.pipelines` of the package{schedulers};
`settings` of `export.json` are the model's own.
"""


def page(about: dict, license_id: str) -> str:
    """The text, from what `export.json` holds and the licence of the data."""
    title = LICENSES.get(license_id, ("unknown: ask the owner of the training data before sharing", None))[0]
    spacing = about["pixel_spacing_mm"]
    size = f" A pixel is {spacing:g} mm wide." if spacing else ""
    parts = [
        f"# {about['model']} as ONNX",
        f"Networks of the model `{about['model']}` (family {about['family']}) of the Cardiac MRI Zoo "
        f"{about['version']}, in float32. What they make is synthetic and not for diagnosis.{size}",
        f"Licence of the weights: {title}; see `LICENSE`.",
        _table(about),
        "The first axis of every input and output is the batch. Class indices stand in the order of `class_names` of "
        "`export.json`; one more than the last leaves the class open. A quantity that is NaN is left open."
        if about["class_names"]
        else "The first axis of every input and output is the batch.",
        f"Differences from torch are the largest of any number, of seeded inputs, as a share of the largest number of "
        f"the output; {about['tolerance']:g} is allowed. Milliseconds are of batches of 8 on {about['hardware']}.",
    ]
    return "\n\n".join(parts) + "\n" + _example(about)


def _table(about: dict) -> str:
    rows = [
        "| file | inputs | output | difference from torch | ms an image, torch | onnxruntime |",
        "|---|---|---|---:|---:|---:|",
    ]
    for name, network in about["networks"].items():
        inputs = ", ".join(f"`{key}` {kind} {_shape(shape)}" for key, (kind, *shape) in network["inputs"].items())
        output, *shape = network["output"]
        speed = network["milliseconds_per_image"]
        rows.append(
            f"| `{name}.onnx` | {inputs} | `{output}` {_shape(shape)} | {network['largest_difference']:.1e} "
            f"| {speed['torch']:.3g} | {speed['onnxruntime']:.3g} |"
        )
    return "\n".join(rows)


def _shape(shape: list[int]) -> str:
    return f"(batch{''.join(f', {length}' for length in shape)})"


def _example(about: dict) -> str:
    (name, network), *others = about["networks"].items()
    if others or "latents" not in network["inputs"]:
        schedulers = "" if about["family"] == "score" else ", and the schedulers' settings lie beside this page"
        return IN_STEPS.format(schedulers=schedulers)
    labels, more = "", ""
    if "class_labels" in network["inputs"]:
        count = network["inputs"]["class_labels"][1]
        labels = f"labels = np.zeros((16, {count}), np.int64)  # the first class of each condition\n"
        more = ', "class_labels": labels'
    return ONE_PASS.format(name=name, latent_dim=network["inputs"]["latents"][1], labels=labels, more=more)
