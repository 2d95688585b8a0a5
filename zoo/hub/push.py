"""Publishing on the Hub: models, the Space, the metrics, and a collection of them all.

Each repo changes by one commit; what is interrupted leaves it as it was, and doing it again completes it.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cards.model_card import CARD_FILE, card_text
from zoo.cards.network_card import network_card_text
from zoo.errors import ZooError
from zoo.files import write_atomic
from zoo.hub import checks
from zoo.hub.client import hub_errors
from zoo.hub.upload import check_tag, commit_files, files_of, open_repo
from zoo.published import layout
from zoo.published.places import CHECKOUT, VARIABLE

if TYPE_CHECKING:
    from huggingface_hub import HfApi

COLLECTION = "Cardiac MRI Zoo"
DESCRIPTION = "Generators of cardiac short-axis MRI, judged under one protocol; their metrics and a Space to try them."
SPACE_NAME = "cardiac-mri-zoo"
_MODULE = re.compile(r"^class \w+\(.*\b(Metric|Comparison|Measurement)\b.*\)", re.MULTILINE)


def version_tag() -> str:
    """The tag of what this version of the zoo publishes."""
    import zoo

    return f"v{zoo.__version__}"


def push_model(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    tag: str | None = None,
    api: "HfApi | None" = None,
) -> str:
    """Publishes a model's folder as one commit with a tag, after it has passed `check_model`.

    Args:
        folder (`Path`): Of the model.
        repo_id (`str`): `owner/name`; made if there is none. It holds exactly the folder's files afterwards.
        private (`bool`, *optional*): Whether the repo is private; `None` leaves it as it is.
        revision (`str`, *optional*): The branch, made if there is none; the main one otherwise.
        tag (`str`, *optional*): Pins the commit; `v` and the version of the zoo otherwise.
        api (`HfApi`, *optional*): The client; that of the environment otherwise.

    Returns:
        The address of the commit.

    Raises:
        ZooError: If the folder is not fit to be published, the tag stands on other files, or the Hub refuses.
    """
    files = checks.check_model(folder)
    tag = tag or version_tag()
    with hub_errors(repo_id), tempfile.TemporaryDirectory() as temporary:
        card = Path(temporary) / CARD_FILE  # its code loads the model from where it is going to be
        files = files | {CARD_FILE: write_atomic(card, any_card_text(folder, repo_id))}
        api = api or _api()
        open_repo(api, repo_id, private=private)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        check_tag(api, repo_id, tag, files)
        commit = commit_files(api, repo_id, files, f"{folder.resolve().name} {tag}", revision=revision)
        api.create_tag(repo_id, tag=tag, revision=commit, exist_ok=True)
        return f"{api.endpoint}/{repo_id}/commit/{commit}"


def any_card_text(folder: Path, here: str | None = None) -> str:
    """The card of a generator's or a single network's folder, whose code loads it from `here`."""
    return (network_card_text if layout.is_network(folder) else card_text)(folder, here)


def push_space(
    folder: Path,
    repo_id: str,
    *,
    models: list[str] | None = None,
    private: bool | None = None,
    api: "HfApi | None" = None,
) -> str:
    """Publishes a folder of `spaces/` with the library beside it, as one commit.

    Args:
        folder (`Path`): Of the Space.
        repo_id (`str`): `owner/name`.
        models (`list[str]`, *optional*): Hub ids that it offers; otherwise the public ones of its owner.
        private (`bool`, *optional*): Whether the repo is private; `None` leaves it as it is.
        api (`HfApi`, *optional*): The client; that of the environment otherwise.

    Returns:
        The address of the Space.

    Raises:
        ZooError: If the folder is no Space, or the Hub refuses.
    """
    from zoo.hub.listing import find_models

    files = space_files(folder)
    sdk = _sdk(folder)
    with hub_errors(repo_id):
        api = api or _api()
        if models is None:
            models = [found.id for found in find_models(repo_id.split("/")[0], api=api) if not found.private]
        open_repo(api, repo_id, "space", private=private, space_sdk=sdk)
        if models:  # before the commit, which starts the Space
            api.add_space_variable(repo_id, VARIABLE, ",".join(models))
        commit_files(api, repo_id, files, f"{folder.resolve().name} {version_tag()}", repo_type="space")
        return f"{api.endpoint}/spaces/{repo_id}"


def space_files(folder: Path) -> dict[str, Path]:
    """What a Space consists of, by path in its repo: its folder, and the library."""
    import zoo

    library = files_of(Path(zoo.__file__).parent)
    return files_of(folder) | {f"zoo/{name}": path for name, path in library.items()}


def _sdk(folder: Path) -> str:
    """The `sdk` that the header of a Space's `README.md` names."""
    from huggingface_hub import SpaceCard

    card = folder / "README.md"
    data = SpaceCard.load(card).data.to_dict() if card.is_file() else {}
    if not data.get("sdk"):
        raise ZooError(f"{card}: sdk: not found; expected the header of a Space")
    if "app_file" in data and not (folder / data["app_file"]).is_file():
        raise ZooError(f"{folder / data['app_file']}: not found; {card} names it as app_file")
    return data["sdk"]


def metric_folders(root: Path | None = None) -> list[Path]:
    """The folders of `evaluate` modules: a folder `x` with a file `x.py` in which such a module is defined.

    Args:
        root (`Path`, *optional*): Where to look, at any depth; the library otherwise.
    """
    import zoo

    root = root or Path(zoo.__file__).parent
    return sorted(
        file.parent for file in root.rglob("*.py") if file.stem == file.parent.name and _MODULE.search(file.read_text())
    )


def push_metrics(
    owner: str, *, private: bool | None = None, root: Path | None = None, api: "HfApi | None" = None
) -> Iterator[str]:
    """Publishes every `evaluate` module as a Space, where `evaluate.load("owner/name")` looks for it.

    Args:
        owner (`str`): User or organisation.
        private (`bool`, *optional*): Whether the repos are private; `None` leaves them as they are.
        root (`Path`, *optional*): Where the modules lie; the library otherwise.
        api (`HfApi`, *optional*): The client; that of the environment otherwise.

    Yields:
        The id of each as soon as it is there.

    Raises:
        ZooError: If there are none, one has no card of a Space, or the Hub refuses.
    """
    for folder, sdk in _checked_metrics(root).items():
        repo_id = f"{owner}/{folder.name}"
        with hub_errors(repo_id):
            api = api or _api()
            open_repo(api, repo_id, "space", private=private, space_sdk=sdk)
            commit_files(api, repo_id, files_of(folder), f"{folder.name} {version_tag()}", repo_type="space")
        yield repo_id


def _checked_metrics(root: Path | None = None) -> dict[Path, str]:
    """The folders of all `evaluate` modules, each with the `sdk` of its card."""
    folders = metric_folders(root)
    if not folders:
        raise ZooError(f"{root or 'zoo'}: no `evaluate` modules, expected folders x with x.py")
    return {folder: _sdk(folder) for folder in folders}


def model_folders(root: Path) -> list[Path]:
    """The folders of models directly under `root`, by name: generators, and the networks that judge them.

    Raises:
        ZooError: If there are none.
    """
    found = [path for path in root.glob("*") if (path / layout.INDEX_FILE).is_file() or layout.is_network(path)]
    if not found:
        raise ZooError(f"{root}: no models, expected folders with {layout.INDEX_FILE}")
    return sorted(found)


def push_collection(
    owner: str,
    *,
    models: Path = CHECKOUT,
    space: Path = Path("spaces") / SPACE_NAME,
    private: bool | None = None,
    tag: str | None = None,
    api: "HfApi | None" = None,
) -> Iterator[str]:
    """Publishes every model, the metrics and the Space, and gathers them in a collection.

    All of it is checked before the first model is sent.

    Args:
        owner (`str`): User or organisation.
        models (`Path`): Folder that holds the models' folders, those of single networks too.
        space (`Path`): Folder of the Space.
        private (`bool`, *optional*): Whether repos and collection are private; `None` leaves them as they are.
        tag (`str`, *optional*): Of the models' commits; `v` and the version of the zoo otherwise.
        api (`HfApi`, *optional*): The client; that of the environment otherwise.

    Yields:
        The id of each repo as soon as it is there, and the address of the collection.

    Raises:
        ZooError: If there is no model, something is not fit to be published, or the Hub refuses.
    """
    folders = model_folders(models)
    for folder in folders:
        checks.check_model(folder)
    _checked_metrics()
    _sdk(space)
    items = []
    for folder in folders:
        items.append((f"{owner}/{folder.name}", "model"))
        push_model(folder, items[-1][0], private=private, tag=tag, api=api)
        yield items[-1][0]
    generators = [f"{owner}/{folder.name}" for folder in folders if not layout.is_network(folder)]
    for repo_id in push_metrics(owner, private=private, api=api):
        items.append((repo_id, "space"))
        yield repo_id
    items.append((f"{owner}/{SPACE_NAME}", "space"))
    push_space(space, items[-1][0], models=generators, private=private, api=api)
    yield items[-1][0]
    with hub_errors(owner):
        yield _collect(api or _api(), owner, items, bool(private))


def _collect(api: "HfApi", owner: str, items: list[tuple[str, str]], private: bool) -> str:
    """Adds repos to the owner's collection, which is made if there is none; returns its address."""
    found = [collection for collection in api.list_collections(owner=owner) if collection.title == COLLECTION]
    if not found:
        settings = {"namespace": owner, "description": DESCRIPTION, "private": private}
        found = [api.create_collection(COLLECTION, **settings)]
    for repo_id, repo_type in items:
        api.add_collection_item(found[0].slug, repo_id, repo_type, exists_ok=True)
    return f"{api.endpoint}/collections/{found[0].slug}"


def _api() -> "HfApi":
    """The client of the environment: HF_ENDPOINT, and HF_TOKEN or the `hf` login."""
    from huggingface_hub import HfApi

    return HfApi()
