"""Where published models lie: what `ZOO_MODELS` names, then the checkout that the package lies in.

Never the working folder: a command finds the same models from anywhere.
"""

import os
import re
from pathlib import Path

from zoo.errors import ZooError
from zoo.published import layout

VARIABLE = "ZOO_MODELS"
CHECKOUT = Path(__file__).resolve().parents[2] / "model_cards"  # there is none beside an installed package
# Tags on the Hub, of every generator and of every network that judges
TAG, JUDGE_TAG = "cardiac-mri-zoo", "cardiac-mri-zoo-judge"
# How the names of published networks begin: those that judge by their family, a further extractor by its architecture
NETWORKS = ("segmenter-", "classifier-", "resnet50-", "view-")
Source = Path | str
"""A folder, or a repo id on the Hub."""

_PART = r"[\w-][\w.-]*"
_NAME, _REPO_ID, _OWNER = (re.compile(text) for text in (_PART, f"{_PART}/{_PART}", f"{_PART}/"))


def list_models(root: str | os.PathLike) -> list[Path]:
    """The folders of published models directly under `root`, by name."""
    return sorted(path.parent for path in Path(root).glob(f"*/{layout.INDEX_FILE}"))


def list_networks(root: str | os.PathLike) -> list[Path]:
    """The folders of published networks that make no images directly under `root`, by name."""
    return sorted(path for path in Path(root).glob("*") if layout.is_network(path))


def published() -> dict[str, Source]:
    """All published models by name, networks that judge included: those that `ZOO_MODELS` names come first.

    Raises:
        ZooError: If `ZOO_MODELS` names what is not there, or two models of one name.
    """
    named = _named()
    hidden = {name.rpartition("/")[2] for name in named}
    return named | {name: source for name, source in _inside(CHECKOUT).items() if name not in hidden}


def generators() -> dict[str, Source]:
    """The models that make images, by name: those that `ZOO_MODELS` names, or where it is not set, the checkout's.

    Raises:
        ZooError: As `published`.
    """
    found = _named() if os.environ.get(VARIABLE) else _inside(CHECKOUT)
    return {name: source for name, source in found.items() if not _is_network(name, source)}


def networks(beginning: str) -> dict[str, Source]:
    """The published networks whose names, without an owner, begin with `beginning`; in the order of `published`.

    Raises:
        ZooError: As `published`.
    """
    found = published().items()
    return {
        name: source
        for name, source in found
        if name.rpartition("/")[2].startswith(beginning) and _is_network(name, source)
    }


def resolve(model: str | os.PathLike) -> Source:
    """What a caller names: a folder, a repo id on the Hub, or the bare name of a published model.

    Raises:
        ZooError: If it is none of them.
    """
    folder, text = Path(model), str(model)
    if folder.is_dir():
        return folder
    if not folder.exists():
        if _REPO_ID.fullmatch(text):
            return text
        if _NAME.fullmatch(text):
            for name, source in published().items():
                if name.rpartition("/")[2] == text:
                    return source
    raise ZooError(
        f"{model}: expected the folder of a model or a repo id on the Hub (owner/name), "
        f"or the name of a published one ({looked_in()})"
    )


def looked_in() -> str:
    """Where published models are looked for, in words."""
    named = os.environ.get(VARIABLE)
    places = [f"{VARIABLE}={named}" if named else f"{VARIABLE} is not set"]
    return "; ".join([*places, str(CHECKOUT) if CHECKOUT.is_dir() else "no checkout"])


def _named() -> dict[str, Source]:
    """What `ZOO_MODELS` names: folders of models, folders of such folders, Hub ids, and owners on the Hub (`ORG/`)."""
    found = {}
    for entry in filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))):
        for name, source in _of_entry(entry).items():
            if name in found:
                raise ZooError(f"{VARIABLE}: two models are named {name}")
            found[name] = source
    return found


def _of_entry(entry: str) -> dict[str, Source]:
    folder = Path(entry)
    if (folder / layout.INDEX_FILE).is_file() or layout.is_network(folder):
        return {folder.resolve().name: folder}
    if folder.is_dir():
        return _inside(folder)
    if _REPO_ID.fullmatch(entry):
        return {entry: entry}
    if _OWNER.fullmatch(entry):
        return {name: name for name in _of_owner(entry.rstrip("/"))}
    raise ZooError(f"{VARIABLE}: {entry}: expected a folder, a repo id on the Hub (owner/name) or an owner (owner/)")


def _inside(root: Path) -> dict[str, Source]:
    return {path.name: path for path in sorted([*list_models(root), *list_networks(root)])}


def _of_owner(owner: str) -> list[str]:
    """The ids of an owner's models and networks on the Hub that the token in use may read."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    try:
        return sorted({info.id for tag in (TAG, JUDGE_TAG) for info in HfApi().list_models(author=owner, filter=tag)})
    except (HfHubHTTPError, HTTPError, OSError, ValueError) as error:
        raise ZooError(f"{VARIABLE}: {owner}/: the Hub could not be asked ({type(error).__name__})") from None


def _is_network(name: str, source: Source) -> bool:
    """Whether it makes no images; of one on the Hub its name says so."""
    return layout.is_network(source) if isinstance(source, Path) else name.rpartition("/")[2].startswith(NETWORKS)
