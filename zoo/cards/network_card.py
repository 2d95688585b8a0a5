"""Published networks that make no images: their folder, and the card that is rendered from their `metrics.json`.

Such a folder holds `config.json`, `preprocessor_config.json`, the weights and the sources, as transformers stores a
model; it has no `model_index.json`, so that lists and tables of generators pass it by.
"""

import os
from pathlib import Path

from zoo.cards import model_card
from zoo.cards.figures_text import duration, metric_name, text
from zoo.cards.licence import LICENSE_FILE, licence_text
from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.published import layout
from zoo.published.metrics_file import load_metrics
from zoo.published.places import JUDGE_TAG
from zoo.sources import source_of

TEMPLATE = Path(__file__).with_name("network_card.md.jinja")
JUDGING = {
    "job": "the evaluation protocol of the zoo judges generated images by it.",
    "purpose": "Measuring generated images of {subject} under one protocol, and research on such measures.",
}
# By family: what the card says of it, the training script, and the group of its figures in metrics.json
KINDS = {
    "segmenter": JUDGING
    | {
        "description": "A U-Net segmenter (Ronneberger et al., 2015) of single images",
        "usage": "labels = network.segment(images)  # (1, height, width), numbers of network.config.class_names",
        "pipeline": "image-segmentation",
        "said": "a mask of each label",
        "script": "training/train_segmenter.py",
        "group": "segmentation",
        "how": "Dice coefficients of whole volumes, a patient's slices of one phase, or of single images where these "
        "are no slices; `dice` is the mean of the structures, ± the standard deviation over volumes.",
    },
    "classifier": JUDGING
    | {
        "description": "A classifier of single images",
        "usage": "scores = network(images).by_condition  # by condition, (1, number of classes)",
        "pipeline": "image-classification",
        "said": "the likeliest classes, each with its probability among those of its condition",
        "script": "training/train_classifier.py",
        "group": "classification",
        "how": "Shares of images (*by slice*), and of patients, or lesions, by the mean probability over their images; "
        "chance is the share of the most frequent class.",
    },
    "view": {
        "description": "A network that tells how a heart lies in a single image, or that it is not there,",
        "usage": "told = network.log_probabilities(images)  # (1, number of views)\n"
        "is_fine = network.known(told) >= network.config.threshold",
        "script": "training/train_view.py",
        "group": "views",
        "job": "the Space of the zoo asks it before it measures what a visitor brings.",
        "purpose": "Telling a picture of {subject} that is turned, mirrored or shows too much, before it is measured.",
        "how": "Shares of slices that are told to be wrong, and of volumes, a patient's slices of one phase, by the "
        "mean over their slices: *refused* of those as they are, *told* of those that were turned or mirrored (*half* "
        "is by 180°), shown as a whole, or cut 80 mm beside the heart (*other*). The threshold is the one that 95 % of "
        "the validation slices reach. Nothing is said of quarter turns: about one patient in four is stored a quarter "
        "turned against the others, and the networks of the zoo know both.",
    },
}


TOLD = ("recipe", "parameters", "seconds", "selected_by", "dataset")  # of the training
CONFIG = ("architectures", "in_channels", "class_names")


def render_network_card(folder: str | os.PathLike) -> Path:
    """Writes `README.md` and `LICENSE` of a network's folder.

    Returns:
        The path of the card.

    Raises:
        ZooError: If the folder is no network of a known family, or its `metrics.json` lacks what was trained.
    """
    folder = Path(folder)
    card = network_card_text(folder)
    data = load_metrics(folder)["training"]["dataset"]["name"]
    source = source_of(data)
    write_atomic(folder / LICENSE_FILE, licence_text(source.license, data, source.citation, has_code=True))
    return write_atomic(folder / model_card.CARD_FILE, card)


def network_card_text(folder: Path, here: str | None = None) -> str:
    """The card of a network's folder.

    Args:
        folder (`Path`): Of the network.
        here (`str`, *optional*): Where its code loads it from: the repo id on the Hub, once it is there; the folder
            below `model_cards/` otherwise.

    Raises:
        ZooError: If the folder is no network of a known family, or its `metrics.json` lacks what was trained.
    """
    from huggingface_hub import ModelCard

    config, metrics = layout.read_config(folder / layout.CONFIG_FILE), load_metrics(folder)
    family, training = metrics.get("model", {}).get("family"), metrics.get("training")
    if family not in KINDS or not training:
        raise ZooError(f"{folder / 'metrics.json'}: expected a family of {', '.join(KINDS)} and how it was trained")
    if missing := [key for key in TOLD if key not in training]:
        raise ZooError(f"{folder / 'metrics.json'}: training.{missing[0]}: is missing")
    if missing := [key for key in CONFIG if key not in config]:
        raise ZooError(f"{folder / layout.CONFIG_FILE}: {missing[0]}: is missing")
    name, kind = folder.resolve().name, KINDS[family]
    source = source_of(training["dataset"]["name"])
    context = kind | {
        "name": name,
        "here": here or f"model_cards/{name}",
        "class_name": layout.network_name(config),
        "module": next(path.stem for path in folder.glob("modeling_*.py")),
        "size": config.get("sample_size", 64),
        "channels": config["in_channels"],
        "spacing": config.get("pixel_spacing_mm"),
        "answers": _answers(config),
        "parameters": training["parameters"],
        "training": training,
        "has_log": (folder / "training.jsonl").is_file(),
        "training_time": duration(training["seconds"]),
        "selected_by": ", ".join(f"{metric_name(key)} {text(value)}" for key, value in training["selected_by"].items()),
        "data": training["dataset"],
        "dataset": metrics.get("dataset"),
        "dataset_folder": layout.dataset_folder(folder, training["dataset"]["preset"]),
        "source": source.images,
        "source_citation": source.citation,
        "license_id": source.license,
        "subject": source.subject,
        "purpose": kind["purpose"].format(subject=source.subject),
        "tags": source.tags,
        "lines": _lines(metrics.get(kind["group"], {})),
        "limitations": _limitations(metrics),
    }
    card = ModelCard.from_template(_card_data(name, metrics, context), template_path=str(TEMPLATE), **context)
    return str(card).rstrip() + "\n"


def _answers(config: dict) -> str:
    """What the network tells, in words."""
    names = config["class_names"]
    if isinstance(names, dict):
        return "\n".join(f"- {key.replace('_', ' ')}: {', '.join(names[key])}" for key in config["conditions"])
    if "threshold" in config:
        return "- views: " + ", ".join(name.replace("_", " ") for name in names)
    return "- labels of a pixel: " + ", ".join(f"{number} {name}" for number, name in enumerate(names))


def _lines(group: dict) -> list[list[str]]:
    """Name and value of each figure, with the spread where there is one."""

    def cell(key: str, figure) -> str:
        spread = f" ± {figure['std']:.3f}" if isinstance(figure, dict) and "std" in figure else ""
        return text(figure, key) + spread

    return [[metric_name(key), cell(key, figure)] for key, figure in group.items()]


def _limitations(metrics: dict) -> list[str]:
    """What the figures themselves say against the network."""
    found = []
    dice = metrics.get("segmentation", {}).get("dice")
    if dice:
        found.append(
            f"Its labels are not a reader's: Dice {text(dice)}. What it measures on samples is read beside what it "
            "measures on real images, never alone."
        )
    if told := metrics.get("views", {}).get("told_mirrored_slice"):
        found.append(
            f"Of single slices that are mirrored it tells {text(told, 'share_')}; a volume says more than one slice."
        )
    figures = metrics.get("classification", {})
    for key, figure in figures.items():
        if key.endswith("_accuracy_slice"):
            condition = key.removesuffix("_accuracy_slice")
            found.append(
                f"Of single images it names the {condition.replace('_', ' ')} right for {text(figure, key)}; "
                f"naming always the most frequent class would do for {text(figures[f'{condition}_chance'], key)}."
            )
    return found


def _card_data(name: str, metrics: dict, context: dict):
    """The metadata of the card, `model-index` included, after the Hub's conventions."""
    from huggingface_hub import EvalResult, ModelCardData

    dataset, family = metrics.get("dataset", {}), metrics["model"]["family"]
    task = "image-segmentation" if family == "segmenter" else "image-classification"
    results = [
        EvalResult(
            task_type=task,
            dataset_type=dataset["name"].lower(),
            dataset_name=f"{dataset['name']} ({dataset['preset']})",
            dataset_config=dataset["preset"],
            dataset_split=dataset["split"],
            dataset_revision=dataset["fingerprint"],
            metric_type=key,
            metric_name=metric_name(key),
            metric_value=figure["value"],
        )
        for key, figure in metrics.get(context["group"], {}).items()
        if isinstance(figure, dict)
    ]
    return ModelCardData(
        license=context["license_id"],
        library_name="transformers",
        pipeline_tag=task,
        tags=[*context["tags"], JUDGE_TAG, family],
        datasets=[context["data"]["name"].lower().replace(" ", "-")],
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=name if results else None,
        eval_results=results or None,
    )
