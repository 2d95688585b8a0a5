"""The dataset card, `README.md` of a dataset folder."""

from huggingface_hub import DatasetCardData


def dataset_card(info: dict, data_files: dict[str, str]) -> str:
    """Renders the card from `zoo_dataset.json`'s content and each split's file."""
    configs = [{"config_name": "default", "data_files": [{"split": s, "path": p} for s, p in data_files.items()]}]
    head = DatasetCardData(license=info["license"], configs=configs, pretty_name=f"{info['name']} ({info['preset']})")
    return f"---\n{head.to_yaml()}\n---\n\n# {info['name']}, preset `{info['preset']}`\n"
