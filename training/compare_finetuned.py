r"""What fine-tuning did: KID, copies and classes of models, beside real images of patients that none was tuned on.

    python training/compare_finetuned.py acgan-acdc-64 outputs/runs/finetune-acgan-acdc-64/pipeline \
        --dataset outputs/data/mine

Samples are asked for the classes of the `test` images in turn, so that a model of many diseases is held against hearts
of the same ones. KID is to these images, copies are of the `train` images that a tuned model saw, and classes are those
that the published classifier sees. It prints a Markdown table; the row `real` is of training images for the KID and of
test images else. A few patients are too few for a Fréchet distance, and `cardiac-zoo evaluate` refuses them.
"""

import argparse
from pathlib import Path

import torch

import zoo
import zoo.hub.datasets
from common.data import labels_of, split_of
from common.errors import told_in_one_line
from zoo.errors import ZooError
from zoo.metrics.conditioning import accuracy
from zoo.metrics.copying import copying_row, threshold
from zoo.metrics.extractors import EfficientNetLite0Extractor, extract
from zoo.metrics.functional import kid
from zoo.metrics.image_set import ImageSet, from_floats, from_split, of_samples
from zoo.metrics.intervals import two_sample_figure
from zoo.metrics.judges import find_judge
from zoo.metrics.nearest import nearest_training
from zoo.metrics.references import copy_row
from zoo.pipelines import sample_generators

BATCH_SIZE = 50
HEADS = ("model", "KID", "copies", "SSIM with the nearest training image", "pathology as asked")


def samples_like(pipe, labels: torch.Tensor, seed: int = 0) -> ImageSet:
    """One sample for each row of labels, `(n, num_conditions)`, class indices in the order of the pipeline's."""
    first, *others = pipe.class_names
    images = []
    for part in torch.arange(len(labels)).split(BATCH_SIZE):
        asked = labels[part].T.tolist()
        classes = {"class_labels": asked[0], **dict(zip(others, asked[1:], strict=True))}
        generators = sample_generators(seed, part.tolist())
        images.append(pipe(len(part), **classes, generator=generators, output_type="pt").images)
    return of_samples(from_floats(torch.cat(images), "samples"))


def cells(figures: list[dict]) -> list[str]:
    """Figures with their 95 % bounds."""
    return [f"{each['value']:.3f} ({each['low']:.3f} to {each['high']:.3f})" for each in figures]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="folders or names of conditional models")
    parser.add_argument("--dataset", type=Path, required=True, help="one's own patients, in train, validation and test")
    parser.add_argument("--samples", type=int, default=400, help="of each model")
    options = parser.parse_args(arguments)
    if options.samples < 2:
        raise ZooError(f"--samples: expected at least 2, got {options.samples}")

    built = zoo.hub.datasets.load(options.dataset)
    rows = split_of(built, "test")
    train, unseen, test = (from_split(built, split) for split in ("train", "validation", "test"))
    classifier, extractor = find_judge("classifier", built, required=True), EfficientNetLite0Extractor()
    copied = nearest_training(copy_row(train, len(train), 0).images, train).ratio
    limit = threshold(copied, nearest_training(unseen.images, train).ratio)
    real_features = extract(extractor, test.images).double()

    def row(images: ImageSet, known: ImageSet, asked: torch.Tensor, names: list[str]) -> list[str]:
        """The figures of samples; `known` is compared with the training images and classified."""
        features = extract(extractor, images.images).double()
        near = copying_row(nearest_training(known.images, train), known.ids, limit)
        seen = classifier.probabilities(known.images)["pathology"].argmax(1)
        distance = two_sample_figure(kid, features, real_features, images.ids, test.ids)
        named = accuracy(seen, asked, names, "pathology", known.ids)
        return cells([distance, near["share_copies"], near["nearest_ssim_train"], named])

    def show(*line: str) -> None:
        print(f"| {' | '.join(line)} |", flush=True)

    show(*HEADS)
    show(*["---"] * len(HEADS))
    for number, name in enumerate(options.models):
        pipe = zoo.from_pretrained(name)
        if list(getattr(pipe, "class_names", {}))[:1] != ["pathology"]:
            raise ZooError(f"{name}: expected a model that can be asked for a pathology")
        pipe.set_progress_bar_config(disable=True)
        labels = labels_of(rows, pipe.class_names)
        names = pipe.class_names["pathology"]
        if not number:
            show("real", *row(train, test, labels[:, 0], names))
        asked = labels[torch.arange(options.samples) % len(labels)]
        samples = samples_like(pipe, asked)
        show(name, *row(samples, samples, asked[:, 0], names))
    print(f"{options.samples} samples of each model; {len(test)} test images, {len(train)} training images", end="; ")
    print(f"a copy has a ratio of distances up to {limit:.3f}; classes by {classifier.name}")


if __name__ == "__main__":
    with told_in_one_line():
        main()
