"""What the Hub reads in the YAML head of a card, and what it refuses there; for the tests' Hub server."""

import re

import yaml

LICENSES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "unknown"}
SPACE_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def metadata(text: str) -> dict | None:
    """The YAML head of a `README.md`; `None` if it has none."""
    head = re.match(r"\s*---\s*\n(.*?)\n---", text, re.DOTALL)
    return yaml.safe_load(head[1]) or {} if head else None


def problems_of(kind: str, text: str) -> list[str]:
    """What the Hub would refuse in a card's metadata."""
    try:
        card = metadata(text) or {}
    except yaml.YAMLError as error:
        return [f"YAML: {error}"]
    problems = [f'"license" must be one of {sorted(LICENSES)}'] if card.get("license", "mit") not in LICENSES else []
    lists = [key for key in ("datasets", "tags", "metrics") if not isinstance(card.get(key, []), list)]
    problems += [f'"{key}" must be an array' for key in lists]
    for entry in card.get("model-index", []):
        for result in entry.get("results") or [{}]:
            wanted = {"task": ["type"], "dataset": ["type", "name"]}
            problems += [
                f'"model-index[0].results[0].{part}.{key}" is required'
                for part, keys in wanted.items()
                for key in keys
                if not isinstance(result.get(part, {}).get(key), str)
            ]
            if not result.get("metrics") or any({"type", "value"} - set(metric) for metric in result["metrics"]):
                problems.append('"model-index[0].results[0].metrics" needs "type" and "value"')
    if kind == "space":
        if card.get("sdk") not in ("gradio", "docker", "static"):
            problems.append('"sdk" must be one of gradio, docker, static')
        if {card.get("colorFrom", "red"), card.get("colorTo", "red")} - SPACE_COLOURS:
            problems.append(f'"colorFrom" and "colorTo" must be of {sorted(SPACE_COLOURS)}')
        if len(card.get("short_description", "")) > 60:
            problems.append('"short_description" must be at most 60 characters')
    return problems
