"""The three ways of loading a published model, each in a process of its own that takes the test server for the Hub."""

import json
import shutil
from inspect import getsourcefile
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo

WITHOUT_ZOO = """
import json, sys
import numpy as np, torch
from diffusers import DiffusionPipeline

def images(pipe, **settings):
    pipe.set_progress_bar_config(disable=True)
    return pipe(batch_size=2, generator=torch.Generator().manual_seed(0), output_type="np", **settings).images

try:
    import zoo
except ImportError:
    pass
else:
    sys.exit("zoo can be imported")
arrays = {}
for name, revision in REVISIONS.items():
    id = "zoo/" + name
    trust = {} if name == "unconditional_ddpm" else {"trust_remote_code": True}
    pipe = DiffusionPipeline.from_pretrained(id, **trust)
    settings = {"num_inference_steps": 3} if name == "unconditional_ddpm" else {}
    assert settings == {} or type(pipe).__module__.startswith("diffusers.pipelines.")
    arrays[name] = images(pipe, **settings)
    pinned = DiffusionPipeline.from_pretrained(id, revision=revision, **trust)
    arrays[name + " pinned"] = images(pinned, **settings)
    arrays[name + " after another"] = images(pipe, **settings)
    if trust:
        print(name, pipe.code_version, pinned.code_version)
    if name == "dcgan":
        first = pipe
    if name == "hearts":
        arrays["masks"] = pipe(2, generator=torch.Generator().manual_seed(0), output_type="np").masks
arrays["dcgan after others"] = images(first)
try:
    DiffusionPipeline.from_pretrained("zoo/dcgan")
except ValueError as error:
    assert "trust_remote_code" in str(error)
else:
    sys.exit("remote code was trusted without being asked to")
np.savez(OUTPUT, **arrays)
"""

WITH_ZOO = """
import glob
import numpy as np, torch, zoo
import huggingface_hub.constants

arrays = {}
for name, revision in REVISIONS.items():
    for key, pinned in ((name, None), (name + " pinned", revision)):
        pipe = zoo.from_pretrained("zoo/" + name, revision=pinned)
        pipe.set_progress_bar_config(disable=True)
        arrays[key] = pipe(2, generator=torch.Generator().manual_seed(0), output_type="np").images
cache = huggingface_hub.constants.HF_HUB_CACHE  # other tests keep other models there
print([file for name in REVISIONS for file in glob.glob(f"{cache}/models--zoo--{name}/**/*.py", recursive=True)])
for id, options in {
    "zoo/missing": {},
    "zoo/dcgan": {"revision": "v9"},
    "zoo/secret": {"token": "hf_other"},
    "zoo/empty": {},
}.items():
    try:
        zoo.from_pretrained(id, **options)
    except zoo.ZooError as error:
        print(error)
pipe = zoo.from_pretrained("zoo/secret")
arrays["secret"] = pipe(2, generator=torch.Generator().manual_seed(0), output_type="np").images
pipe.push_to_hub("zoo/pushed")
np.savez(OUTPUT, **arrays)
"""


OFFLINE = """
import os
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
import zoo
print(type(zoo.from_pretrained("zoo/dcgan")).__name__)
"""


DESCRIPTION_ALONE = """
import os
os.environ["HF_HUB_CACHE"] = FOLDER
from zoo.published.loading import DESCRIPTION, find_folder
print(sorted(path.name for path in find_folder("zoo/dcgan", files=DESCRIPTION).rglob("*")))
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict:
    """Where `uploaded` keeps what it did for the whole module."""
    return {"folder": tmp_path_factory.mktemp("published"), "revisions": {}}


@pytest.fixture
def uploaded(hub, published, dcgan, conditional_ddpm, unconditional_ddpm, expert_ddpm, hearts, monkeypatch) -> dict:
    """Two versions of each kind of model, in folders and as two commits of a repo.

    They differ in their weights, and in the code of `base.py`, which gets an attribute that names the version. The
    answer has the `folder` that holds `name/version`, and `revisions`, the commit of the first version by name.
    """
    if published["revisions"]:
        return published
    pipes = {
        "dcgan": dcgan,
        "conditional_ddpm": conditional_ddpm,
        "unconditional_ddpm": unconditional_ddpm,
        "expert_ddpm": expert_ddpm,
        "hearts": hearts,
    }
    shutil.copy(Path(zoo.__file__).parent / "anatomy.py", published["folder"])  # travels with hearts
    for version in ("v1", "v2"):
        sources = published["folder"] / f"source-{version}"
        shutil.copytree(Path(zoo.__file__).parent / "pipelines", sources)
        (sources / "base.py").open("a").write(f"\nZooPipeline.code_version = {version!r}\n")

        def source_file(cls, sources=sources):
            file = Path(getsourcefile(cls))
            return sources / file.name if file.parent.name == "pipelines" else file

        monkeypatch.setattr("zoo.published.layout.inspect.getsourcefile", source_file)
        for name, pipe in pipes.items():
            folder = published["folder"] / name / version
            pipe.save_pretrained(folder)
            hub.api.create_repo(f"zoo/{name}", exist_ok=True)
            commit = hub.api.upload_folder(repo_id=f"zoo/{name}", folder_path=folder, delete_patterns="*")
            published["revisions"].setdefault(name, commit.oid)
            for parameter in next(iter(pipe.components.values())).parameters():
                parameter.data *= 0.9
    hub.api.create_repo("zoo/secret", private=True)
    hub.api.upload_folder(repo_id="zoo/secret", folder_path=published["folder"] / "dcgan" / "v1")
    hub.api.create_repo("zoo/empty")
    return published


def run(hub, uploaded, tmp_path, code: str, *, with_zoo: bool):
    head = f"REVISIONS = {uploaded['revisions']}\nOUTPUT = {str(tmp_path / 'images.npz')!r}\n"
    output = hub.python(head + code, with_zoo=with_zoo)
    return dict(np.load(tmp_path / "images.npz")), output


def local_images(folder, plain: bool = False) -> np.ndarray:
    from diffusers import DDPMPipeline

    pipe = DDPMPipeline.from_pretrained(folder) if plain else zoo.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    settings = {"num_inference_steps": 3} if plain else {}
    return pipe(batch_size=2, generator=torch.Generator().manual_seed(0), output_type="np", **settings).images


def test_with_the_package_and_no_remote_code(hub, uploaded, tmp_path):
    images, output = run(hub, uploaded, tmp_path, WITH_ZOO, with_zoo=True)
    for name in uploaded["revisions"]:
        versions = [local_images(uploaded["folder"] / name / version) for version in ("v1", "v2")]
        assert np.abs(versions[0] - versions[1]).max() > 0.01
        np.testing.assert_allclose(images[f"{name} pinned"], versions[0], atol=1e-5)
        np.testing.assert_allclose(images[name], versions[1], atol=1e-5)
    np.testing.assert_array_equal(images["secret"], images["dcgan pinned"])
    assert output.splitlines() == [
        "[]",  # no Python file was downloaded
        "zoo/missing: no such folder, and no such repo on the Hub that the token in use may read",
        "zoo/dcgan: the repo has no revision 'v9'",
        "zoo/secret: no such folder, and no such repo on the Hub that the token in use may read",
        "zoo/empty: no model, the repo has no model_index.json",
    ]
    # `push_to_hub` of diffusers publishes the layout of `save_pretrained`
    pushed = hub.api.hf_hub_download("zoo/pushed", "model_index.json", cache_dir=tmp_path)
    assert json.loads(Path(pushed).read_text())["_class_name"] == ["pipeline", "GANPipeline"]
    assert "pipeline.py" in hub.api.list_repo_files("zoo/pushed")
    # What was loaded once is found again without the Hub
    assert hub.python(OFFLINE).strip() == "GANPipeline"


def test_with_diffusers_alone(hub, uploaded, tmp_path):
    images, output = run(hub, uploaded, tmp_path, WITHOUT_ZOO, with_zoo=False)
    for name in uploaded["revisions"]:
        plain = name == "unconditional_ddpm"
        versions = [local_images(uploaded["folder"] / name / version, plain) for version in ("v1", "v2")]
        np.testing.assert_allclose(images[f"{name} pinned"], versions[0], atol=1e-5)
        np.testing.assert_allclose(images[name], versions[1], atol=1e-5)
        np.testing.assert_array_equal(images[f"{name} after another"], images[name])
    np.testing.assert_array_equal(images["dcgan after others"], images["dcgan"])
    pipe = zoo.from_pretrained(uploaded["folder"] / "hearts" / "v2")
    masks = pipe(2, generator=torch.Generator().manual_seed(0), output_type="np").masks
    assert (images["masks"] == masks).mean() > 0.98  # rounding may turn a pixel whose labels are a tie
    # diffusers loads what a pipeline file imports once by its name, so the name has to tell the versions apart
    ours = [name for name in uploaded["revisions"] if name != "unconditional_ddpm"]
    assert output.splitlines() == [f"{name} v2 v1" for name in ours]


def test_a_description_comes_without_weights(hub, uploaded, tmp_path):
    output = hub.python(f"FOLDER = {str(tmp_path)!r}\n" + DESCRIPTION_ALONE)
    assert output.strip() == "['model_index.json']"
