"""The dataset card, `README.md` of a dataset folder: how the Hub shows it, and how `load_dataset` finds the splits."""

import json
from collections import Counter

import datasets
from huggingface_hub import DatasetCardData

from zoo.datasets.report import report_text

_CARD = """\
# {name}, preset `{preset}`

Square images of 8 bits a channel, embedded in Parquet. Built by `cardiac-zoo data` of the Cardiac MRI Zoo.

```python
import datasets
splits = datasets.load_dataset("…")  # this folder, or the id of this repo
```

## Splits

{splits}

{patients}

## Columns

{columns}

## Preprocessing

{preprocessing}

Fingerprint of pixels, columns and splits: `{fingerprint}`

{report}{notes}## Licence and citation

Licence: `{license}`. {citation}
"""


def dataset_card(dataset: datasets.DatasetDict, info: dict, data_files: dict[str, str]) -> str:
    """Renders the card.

    Args:
        dataset: The splits.
        info: What `zoo_dataset.json` holds.
        data_files: Path of each split's file within the folder.
    """
    features = next(iter(dataset.values())).features
    head = DatasetCardData(
        license=info["license"],
        pretty_name=f"{info['name']} ({info['preset']})",
        task_categories=["unconditional-image-generation"] + ["image-segmentation"] * ("mask" in features),
        tags=["medical", "cardiac-mri-zoo"] + ["cardiac-mri"] * ("pathology" in features),
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": path} for split, path in data_files.items()],
            }
        ],
    )
    by_patient = "patient_id" in features
    patients = [f"Patients of `{s}`: {', '.join(p['patient_ids'])}." for s, p in info["splits"].items() if by_patient]
    notes = [f"- the same images: {', '.join(group)}" for group in info["duplicates"]]
    notes += [f"- left out: {entry.get('patient_id') or entry['item']}: {entry['reason']}" for entry in info["skipped"]]
    report = report_text(info).splitlines()
    body = _CARD.format(
        **{key: info[key] for key in ("name", "preset", "fingerprint", "license")},
        citation=f"Please cite: {info['citation']}" if info["citation"] else "",
        splits=_split_table(dataset),
        patients="\n\n".join(patients)
        or f"Divided by {'lesion' if 'lesion_id' in features else 'image'}; identical images share a split.",
        columns="\n".join(f"- `{name}`: {_describe(feature)}" for name, feature in features.items()),
        preprocessing="\n".join(f"- {key}: {json.dumps(value)}" for key, value in info["preprocessing"].items()),
        report="## What was taken for what\n\n" + "\n".join(f"- {line}" for line in report) + "\n\n" if report else "",
        notes="## Duplicates and omissions\n\n" + "\n".join(notes) + "\n\n" if notes else "",
    )
    return f"---\n{head.to_yaml()}\n---\n\n{body}"


def _split_table(dataset: datasets.DatasetDict) -> str:
    """Images, patients and classes of each split as a Markdown table; classes count patients where there are any."""
    features = next(iter(dataset.values())).features
    patients = "patient_id" in features
    label = next((name for name in ("pathology", "label") if name in features), None)
    names = features[label].names if label else []
    lines = [["split", "images"] + ["patients"] * patients + names]
    lines.append(["---"] * len(lines[0]))
    for split, data in dataset.items():
        line = [split, data.num_rows]
        members = range(data.num_rows)
        if patients:
            members = dict(zip(data["patient_id"], range(data.num_rows), strict=True)).values()  # one row a patient
            line.append(len(members))
        if label:
            column = data[label][:]
            count = Counter(column[row] for row in members)
            line += [count[index] for index in range(len(names))]
        lines.append(line)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _describe(feature) -> str:
    if isinstance(feature, datasets.ClassLabel):
        return f"class label of {', '.join(f'{index} {name}' for index, name in enumerate(feature.names[:10]))}"
    if isinstance(feature, datasets.Image):
        return "PNG"
    return f"{feature.length} × {feature.feature.dtype}" if isinstance(feature, datasets.List) else feature.dtype
