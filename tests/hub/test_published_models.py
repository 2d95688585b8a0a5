"""Every model of `model_cards`, from a Hub server, in the ways that a user may load it.

A family is covered as soon as its folder is there.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.cards import model_card
from zoo.hub import push
from zoo.hub.pull import pull
from zoo.pipelines.auto import code_files
from zoo.published import layout
from zoo.published.places import list_models

ROOT = Path(__file__).resolve().parents[2] / "model_cards"
PUBLISHED = sorted(path.parent for path in ROOT.glob("*/LICENSE"))  # networks that judge included
MODELS = list_models(ROOT)
NAMES = [folder.name for folder in MODELS]
# One process for all models: each start takes seconds. What goes wrong with a model is told where that model is tested
WITHOUT_ZOO = """
import inspect, json, os, traceback
import numpy as np, torch
from diffusers import DiffusionPipeline

try:
    import zoo
except ImportError:
    pass
else:
    raise SystemExit("zoo can be imported")
report = {}
for name, own_code in NAMES.items():
    trust = {"trust_remote_code": True} if own_code else {}
    try:
        pipe = DiffusionPipeline.from_pretrained(SOURCE + name, **REVISION, **trust)
        pipe.set_progress_bar_config(disable=True)
        known = inspect.signature(pipe.__call__).parameters
        few = {name: 2 for name in ("num_inference_steps", "num_iterations") if name in known}
        image = pipe(batch_size=1, generator=torch.Generator().manual_seed(0), output_type="np", **few).images
        np.save(os.path.join(OUTPUT, name), image)
        report[name] = "loaded"
    except Exception:
        report[name] = traceback.format_exc()
print(json.dumps(report))
"""


# With the zoo: what is pinned loads, what comes after it is no model, and once loaded it is found without a network
WITH_ZOO = """
import json, traceback
import huggingface_hub.constants
from diffusers import DiffusionPipeline
import zoo
from zoo.published.saving import PublishedPipelineMixin

report = {}
for name in NAMES:
    try:
        pipe = zoo.from_pretrained(SOURCE + name, **REVISION)
        parts = [pipe, *pipe.components.values()]
        foreign = [type(part).__module__ for part in parts if type(part).__module__.startswith("diffusers_modules")]
        try:
            zoo.from_pretrained(SOURCE + name)
        except zoo.ZooError as error:
            unpinned = str(error).split(":")[1].strip()
        huggingface_hub.constants.HF_HUB_OFFLINE = True
        again = zoo.from_pretrained(SOURCE + name, **REVISION)
        huggingface_hub.constants.HF_HUB_OFFLINE = False
        report[name] = [type(pipe).__module__.split(".")[0], foreign, unpinned, type(again) is type(pipe)]
        if NAMES[name]:  # its code, should somebody trust it, knows the zoo too
            trusted = DiffusionPipeline.from_pretrained(SOURCE + name, **REVISION, trust_remote_code=True)
            saves = isinstance(trusted, PublishedPipelineMixin)
            report[name] += [type(trusted).__module__.startswith("diffusers_modules"), saves]
    except Exception:
        report[name] = traceback.format_exc()
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def pushed(hub, tmp_path_factory) -> dict:
    """Every model on the server under a tag, and what came of loading it.

    Has `reports` by way of loading (`"push"`, `"online"`, `"offline"` and `"zoo"`, each by model), and `images`, the
    folder of what was sampled.
    """
    work = tmp_path_factory.mktemp("published")
    reports, own_code = {"push": {}}, {}
    for model in MODELS:
        folder = shutil.copytree(model, work / "models" / model.name)
        model_card.render_card(folder)  # whether the committed card is the newest is not the question here
        try:
            push.push_model(folder, f"zoo/{model.name}", tag="v1", api=hub.api)
        except zoo.ZooError as error:
            reports["push"][model.name] = str(error)
            continue
        reports["push"][model.name] = "pushed"
        # What comes after the tag is no model
        hub.api.upload_file(path_or_fileobj=b"{", path_in_repo="model_index.json", repo_id=f"zoo/{model.name}")
        pull(f"zoo/{model.name}", work / "pulled" / model.name, revision="v1", api=hub.api)
        own_code[model.name] = isinstance(layout.read_index(folder)["_class_name"], list)
    tag = {"revision": "v1"}
    ways = {
        "online": (WITHOUT_ZOO, "zoo/", tag),
        "offline": ("import os; os.environ['HF_HUB_OFFLINE'] = '1'\n" + WITHOUT_ZOO, f"{work}/pulled/", {}),
        "zoo": (WITH_ZOO, "zoo/", tag),
    }
    for way, (code, source, revision) in ways.items():
        (work / way).mkdir()
        settings = {"NAMES": own_code, "SOURCE": source, "REVISION": revision, "OUTPUT": str(work / way)}
        head = "".join(f"{name} = {value!r}\n" for name, value in settings.items())
        reports[way] = json.loads(hub.python(head + code, with_zoo=way == "zoo").splitlines()[-1])
    return {"reports": reports, "images": work}


@pytest.fixture
def report(pushed, name) -> dict:
    """What came of a model, by way of loading, if it could be pushed."""
    assert pushed["reports"]["push"][name] == "pushed"
    return {way: models[name] for way, models in pushed["reports"].items()}


@pytest.mark.parametrize("name", NAMES)
def test_with_diffusers_alone(pushed, report, name):
    assert report["online"] == "loaded"
    image = np.load(pushed["images"] / "online" / f"{name}.npy")
    assert image.ndim == 4 and len(image) == 1 and np.isfinite(image).all() and np.ptp(image) > 0


@pytest.mark.parametrize("name", NAMES)
def test_with_diffusers_alone_and_without_a_network(pushed, report, name):
    assert report["offline"] == "loaded"
    images = [np.load(pushed["images"] / way / f"{name}.npy") for way in ("online", "offline")]
    np.testing.assert_allclose(*images, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_with_the_zoo_which_trusts_no_code(report, name):
    expected = ["zoo", [], "expected JSON (Expecting property name enclosed in double quotes", True]
    own_code = isinstance(layout.read_index(ROOT / name)["_class_name"], list)
    assert report["zoo"] == expected + [True, True] * own_code


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in ROOT.glob("*/LICENSE")), ids=lambda folder: folder.name
)
def test_the_code_is_that_of_this_version(folder):
    code = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}
    assert code == code_files(folder)  # `cardiac-zoo code` writes it
