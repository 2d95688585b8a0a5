"""The model card: `README.md` of a folder, rendered from `metrics.json` and the files beside it; and its `LICENSE`."""

import os
from pathlib import Path

from zoo.cards.figures_text import NOT_MEASURED, duration, is_share, metric_name, text, value_of
from zoo.cards.licence import LICENSE_FILE, licence_text
from zoo.cards.model_index import index_figures
from zoo.cards.utility_text import HEAD, utility_table, verdict
from zoo.families import FAMILIES
from zoo.files import write_atomic
from zoo.published import layout
from zoo.published.metrics_file import graded_by_itself, load_metrics, read
from zoo.published.places import TAG
from zoo.sources import source_of

CARD_FILE, SAMPLES_FILE, CODES_FILE = "README.md", "samples.png", "codes.png"
OUTLINES_FILE = "outlines.png"
SECOND_FILE = "metrics-second-segmenter.json"  # of `evaluate --segmenter … --output …`
REMARK_FILE = "remark.md"  # what its maker says of a model, the first line of its card
TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
ROWS = {"real": "real images", "mean_image": "mean image", "copy": "copies"}
# Groups of the results, in the order of the card: title and the question that they answer
GROUPS = {
    "distribution": (
        "Likeness of the sample set",
        "Does the sample set look like the data? The lower a distance (Fréchet, KID, CMMD) is, the nearer. Precision "
        "and density ask whether samples are like real images, recall and coverage whether all real images are like "
        "samples; higher is better, up to the figure of real images.",
    ),
    "projection": (
        "Projections",
        "Can the model express images it has never seen? Real images of the split against the nearest ones that the "
        "model can make. More latent dimensions make this easier.",
    ),
    "diversity": (
        "Variety",
        "Similarity of random pairs of samples: below that of training images is noise, above collapse.",
    ),
    "unpaired": (
        "Samples without pairs",
        'What SSIM, CC and MSE "between real and generated images" would say, without pairs: each sample against a '
        "random real image, and against the nearest one by MSE. Blur wins: see the mean image.",
    ),
    "copying": (
        "Copies of patients",
        "A sample counts as a copy if it is nearer to one training image than the threshold allows, relative to its "
        "distance to the images of other patients, over shifts of up to 2 pixels and mirror images; likewise in the "
        "features of each extractor. Membership inference: how well the samples alone tell training images from "
        "others, 0.5 if not at all.",
    ),
    "anatomy": (
        "Anatomy",
        "Is it a heart? By a segmenter trained on real images, which labels samples and real images alike; the aim is "
        "the real figure. *From real* is the Wasserstein distance to the real images of the split.",
    ),
    "conditioning": (
        "Asked-for classes",
        "Is what was asked for there? By a classifier trained on real images; the aim is the real figure, and more is "
        "not better.",
    ),
    "control": (
        "Asked-for hearts",
        "Is it the heart that was asked for? Images painted on the patients' own masks, and images asked for in "
        "millimetres, by a segmenter trained on real images; the aim is its figure on real images, from either side. "
        "Asked are the percentiles 5 to 95 of the training slices of each class, phase and level; what has no closed "
        "ring has failed.",
    ),
    "utility": (
        "Usefulness",
        "Does a network that is tested on real patients gain from the samples? As many steps of training with them as "
        "without; mean ± standard deviation over seeds, intervals over patients and seeds. Accuracies are by slice, "
        "each class of the same weight; Dice is that of a segmenter that has a share of the real patients. A shared "
        "generator has seen all of them, one of the same data none but those of the share.",
    ),
    "cost": ("Cost", "On the machine named below."),
}
BY_ITSELF = (
    " The figures that stand last are of a network that had a part in the making of these images: they would be its "
    "own homework, graded by itself (Kynkäänniemi et al., 2022, arXiv 2203.06026)."
)
OF_FEW_MODELS = {"control"}  # not missed in the card of a model that takes no masks


def render_card(folder: str | os.PathLike) -> Path:
    """Writes `README.md` and `LICENSE` of a model's folder. What `metrics.json` does not hold is told as not measured.

    Its code loads the model from `model_cards/`; `card_text` names another place.

    Returns:
        The path of the card.

    Raises:
        ZooError: If the folder is no model or its `metrics.json` is damaged.
    """
    folder = Path(folder)
    text = card_text(folder)
    name = load_metrics(folder).get("training", {}).get("dataset", {}).get("name")
    source = source_of(name)
    licence = licence_text(source.license, name, source.citation, any(folder.rglob("*.py")))
    write_atomic(folder / LICENSE_FILE, licence)
    return write_atomic(folder / CARD_FILE, text)


def card_text(folder: Path, here: str | None = None) -> str:
    """The card of a model's folder.

    Args:
        folder (`Path`): Of the model.
        here (`str`, *optional*): Where its code loads it from: the repo id on the Hub, once it is there; the folder
            below `model_cards/` otherwise.

    Raises:
        ZooError: If the folder is no model or its `metrics.json` is damaged.
    """
    from huggingface_hub import ModelCard

    index, metrics = layout.read_index(folder), load_metrics(folder)
    second = read(folder / SECOND_FILE)
    name = folder.resolve().name
    context = _context(folder, name, index, metrics, second) | {"here": here or f"model_cards/{name}"}
    card = ModelCard.from_template(_card_data(name, metrics, context), template_path=str(TEMPLATE), **context)
    return str(card).rstrip() + "\n"


def _context(folder: Path, name: str, index: dict, metrics: dict, second: dict) -> dict:
    """What the template is filled with."""
    training = metrics.get("training", {})
    data = training.get("dataset", {})
    family = FAMILIES.get(metrics.get("model", {}).get("family"))
    arguments = {**index, **index.get(layout.OWN_ARGUMENTS_KEY, {})}
    source = source_of(data.get("name"))
    remark = folder / REMARK_FILE
    return {
        "name": name,
        "remark": remark.read_text().strip() if remark.is_file() else None,
        "family": family.name if family else "",
        "description": family.description if family else "An image generator.",
        "classes": _classes(folder, index),
        "spacing": arguments.get("pixel_spacing_mm"),
        "default_steps": arguments.get("default_steps"),
        "own_code": isinstance(index["_class_name"], list),
        "class_name": layout.pipeline_name(index),
        "has_samples": (folder / SAMPLES_FILE).is_file(),
        "has_outlines": (folder / OUTLINES_FILE).is_file(),
        "has_codes": (folder / CODES_FILE).is_file(),
        "has_recipe": (folder / layout.RECIPE_FILE).is_file(),
        "has_log": (folder / "training.jsonl").is_file(),
        "license_id": source.license,
        "source": source.images,
        "source_citation": source.citation,
        "subject": source.subject,
        "tags": source.tags,
        "data": data,
        "training": training,
        "training_time": duration(training["seconds"]) if "seconds" in training else None,
        "energy": f"{text(training['energy_kwh'])} kWh" if "energy_kwh" in training else NOT_MEASURED,
        "diffusers_version": index.get("_diffusers_version"),
        "script": family.script if family else None,
        "dataset": metrics.get("dataset"),
        "dataset_folder": layout.dataset_folder(folder, metrics.get("dataset", data).get("preset", "")),
        "samples": metrics.get("samples"),
        "sections": [_section(group, metrics, second) for group in GROUPS if group in metrics],
        "not_measured": [
            title for group, (title, _) in GROUPS.items() if group not in metrics and group not in OF_FEW_MODELS
        ],
        "has_fid": "fid_inception_v3" in metrics.get("distribution", {}),
        "extractors": metrics.get("extractors", {}),
        "limitations": _limitations(metrics, data),
    }


def _classes(folder: Path, index: dict) -> dict[str, list[str]]:
    """Classes that may be asked for, by condition, from the configs of the components."""
    for component in layout.components(index):
        file = folder / component / "config.json"
        config = layout.read_config(file) if file.is_file() else {}
        if config.get("class_names"):
            return {condition: config["class_names"][condition] for condition in config["conditions"]}
    return {}


def _section(group: str, metrics: dict, second: dict) -> dict:
    """A table of the group's figures, the reference rows beside the model, and its settings in words.

    What a second segmenter found has a column of its own, where it judged.
    """
    title, question = GROUPS[group]
    content, references = metrics[group], metrics.get("references", {})
    if group == "utility":
        return {"title": title, "question": question, **_utility(content)}
    columns = [row for row in ROWS if group in references.get(row, {})]
    lines, facts = [], []
    if any(graded_by_itself(metrics, key) for key in content):
        question += BY_ITSELF
    for key, figure in sorted(_flat(content), key=lambda entry: graded_by_itself(metrics, entry[0])):
        if isinstance(figure, str | list | dict) and "value" not in figure:
            if figure:
                facts.append((metric_name(key), _words(figure)))
            continue
        cells = [references[row][group].get(key) for row in columns]
        cells += [second[group].get(key)] if group in second else []
        lines.append([metric_name(key), _cell(figure, key), *("" if c is None else _cell(c, key) for c in cells)])
    head = ["", "this model", *(ROWS[row] for row in columns)]
    if group in second:
        head.append(f"by {second[group]['segmenter'].partition(' ')[0]}")
    by_class = _by_class(content)
    return {"title": title, "question": question, "head": head, "lines": lines, "facts": facts, "by_class": by_class}


def _utility(content: dict) -> dict:
    """Group `utility` has a table of its own, and a sentence."""
    facts = [(metric_name(key), _words(value)) for key, value in content.items() if not _is_figure(value)]
    table = {"head": ["", *HEAD[1:]], "lines": utility_table(content), "by_class": {"head": [], "lines": []}}
    return {**table, "facts": facts, "sentence": verdict(content)}


def _is_figure(value) -> bool:
    return isinstance(value, dict) and "value" in value


def _by_class(content: dict) -> dict:
    """A table of the figures that single classes have, a column a class; empty where no figure has them."""
    columns = {}
    for key, figure in content.items():
        if isinstance(figure, dict) and "value" in figure:
            for condition, classes in figure.items():
                if isinstance(classes, dict):
                    for name, entry in classes.items():
                        columns.setdefault((condition, name), {})[key] = entry
    keys = [key for key in content if any(key in column for column in columns.values())]
    lines = [
        [metric_name(key), *(text(column[key], key) if key in column else "" for column in columns.values())]
        for key in keys
    ]
    return {"head": ["", *(name for _, name in columns)], "lines": lines}


def _flat(content: dict):
    """Figures of a group; those of a further setting follow under `name, setting`."""
    for key, figure in content.items():
        if isinstance(figure, dict) and "value" not in figure and key != "settings":
            for inner, value in figure.items():
                yield f"{metric_name(inner)}, {key.replace('_', ' ')}", value
        else:
            yield key, figure


def _words(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _cell(figure, key: str) -> str:
    cell = text(figure, key)
    if isinstance(figure, dict) and "ratio_to_real" in figure:
        return f"{cell}, {figure['ratio_to_real']:.2f} × real"
    if isinstance(figure, dict) and "difference_to_real" in figure:
        return f"{cell}, {figure['difference_to_real']:+.4f} to real"
    if isinstance(figure, dict) and "wasserstein_to_real" in figure:
        return f"{cell}, {_distance(figure['wasserstein_to_real'], key)} from real"
    return cell


def _distance(value: float, key: str) -> str:
    """A Wasserstein distance in the unit of its metric; of shares a difference, in percentage points."""
    return f"{100 * value:.1f} points" if is_share(key) else text(value)


def _limitations(metrics: dict, data: dict) -> list[str]:
    """What the figures themselves say against the model."""
    found = []
    if data.get("n_patients"):
        found.append(
            f"It has seen {data['n_images']:,} images of {data['n_patients']} patients of one dataset; other scanners, "
            "protocols, ages and diseases are not in it."
        )
    for key, figure in metrics.get("distribution", {}).items():
        if isinstance(figure, dict) and "ratio_to_real" in figure and not graded_by_itself(metrics, key):
            found.append(
                f"Its sample set is not real data: {metric_name(key)} is {figure['ratio_to_real']:.1f} times that of "
                "real images of other patients."
            )
    diversity = metrics.get("diversity", {})
    ours, real = value_of(diversity.get("ms_ssim")), value_of(diversity.get("ms_ssim_train"))
    if ours is not None and real is not None:
        found.append(
            f"Its samples resemble each other {'more' if ours > real else 'less'} than training images do (MS-SSIM of "
            f"pairs {ours:.3f} against {real:.3f})."
        )
    copying = metrics.get("copying", {})
    copies, false_alarms = copying.get("share_copies"), copying.get("share_copies_real")
    if copies is not None and false_alarms is not None:
        found.append(
            f"{text(copies, 'share_')} of its samples are as near to a training image as copies are; of real images "
            f"of unseen patients {text(false_alarms, 'share_')} are."
        )
    ssim = metrics.get("projection", {}).get("ssim")
    if ssim is not None:
        found.append(f"Images it has not seen are expressed at an SSIM of {text(ssim)}: details of them are lost.")
    anatomy = metrics.get("anatomy", {})
    closed, closed_real = anatomy.get("ring_closed"), anatomy.get("ring_closed_real")
    if closed is not None and closed_real is not None:
        found.append(
            f"By the segmenter {text(closed, 'ring_closed')} of its slices have a closed myocardial ring, of real ones "
            f"{text(closed_real, 'ring_closed')}."
        )
    sentence = verdict(metrics.get("utility", {}))
    if sentence and not sentence.startswith("Helps:"):
        found.append(sentence)
    if "anatomy" not in metrics:
        found.append("Whether its hearts are anatomically right has not been measured.")
    return found


def _card_data(name: str, metrics: dict, context: dict):
    """The metadata of the card, `model-index` included, after the Hub's conventions."""
    from huggingface_hub import EvalResult, ModelCardData

    dataset = metrics.get("dataset", {})
    results = [
        EvalResult(
            task_type="unconditional-image-generation",
            task_name="Image generation",
            dataset_type=dataset["name"].lower(),
            dataset_name=f"{dataset['name']} ({dataset['preset']})",
            dataset_config=dataset["preset"],
            dataset_split=dataset["split"],
            dataset_revision=dataset["fingerprint"],
            metric_type=figure["type"],
            metric_name=figure["name"],
            metric_value=figure["value"],
            metric_args=figure["args"],
        )
        for figure in (index_figures(metrics) if dataset else ())
    ]
    source = context["data"].get("name")
    return ModelCardData(
        license=context["license_id"],
        library_name="diffusers",
        pipeline_tag="unconditional-image-generation",
        tags=[*context["tags"], TAG, *([context["family"]] if context["family"] else [])],
        datasets=[source.lower().replace(" ", "-")] if source else None,
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=name if results else None,
        eval_results=results or None,
    )
