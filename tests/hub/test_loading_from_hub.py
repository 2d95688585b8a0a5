"""The three ways of loading a published model, each in a process of its own that takes the test server for the Hub."""

import json

import numpy as np
import pytest

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
    arrays[name + " pinned"] = images(DiffusionPipeline.from_pretrained(id, revision=revision, **trust), **settings)
    arrays[name + " after another"] = images(pipe, **settings)
    if name == "dcgan":
        first = pipe
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
import glob, os
import numpy as np, torch, zoo
import huggingface_hub.constants

arrays = {}
for name, revision in REVISIONS.items():
    for key, pinned in ((name, None), (name + " pinned", revision)):
        pipe = zoo.from_pretrained("zoo/" + name, revision=pinned)
        pipe.set_progress_bar_config(disable=True)
        arrays[key] = pipe(2, generator=torch.Generator().manual_seed(0), output_type="np").images
print(glob.glob(huggingface_hub.constants.HF_HUB_CACHE + "/**/*.py", recursive=True))
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
arrays["secret"] = zoo.from_pretrained("zoo/secret")(2, generator=torch.Generator().manual_seed(0), output_type="np").images
np.savez(OUTPUT, **arrays)
"""


@pytest.fixture(scope="module")
def published(hub, tmp_path_factory):
    """Folders of two versions of three models, the first tagged v1 on the Hub: version, then name, to folder."""
    return {"folder": tmp_path_factory.mktemp("published"), "revisions": {}}


@pytest.fixture
def uploaded(hub, published, dcgan, conditional_ddpm, unconditional_ddpm):
    """Publishes two versions of each kind of model, which differ in weights and in the code of base.py."""
    if not published["revisions"]:
        pipes = {"dcgan": dcgan, "conditional_ddpm": conditional_ddpm, "unconditional_ddpm": unconditional_ddpm}
        for name, pipe in pipes.items():
            folder = published["folder"] / name
            pipe.save_pretrained(folder / "v1")
            network = pipe.components.get("unet") or pipe.components["generator_model"]
            for parameter in network.parameters():
                parameter.data *= 0.9
            pipe.save_pretrained(folder / "v2")
            hub.api.create_repo(f"zoo/{name}")
            for version in ("v1", "v2"):
                upload = hub.api.upload_folder(repo_id=f"zoo/{name}", folder_path=folder / version, delete_patterns="*")
                if version == "v1":
                    published["revisions"][name] = upload.oid
        hub.api.create_repo("zoo/secret", private=True)
        hub.api.upload_folder(repo_id="zoo/secret", folder_path=published["folder"] / "dcgan" / "v1")
        hub.api.create_repo("zoo/empty")
    return published


def run(hub, uploaded, tmp_path, code: str, *, with_zoo: bool):
    head = f"REVISIONS = {uploaded['revisions']}\nOUTPUT = {str(tmp_path / 'images.npz')!r}\n"
    output = hub.python(head + code, with_zoo=with_zoo)
    return dict(np.load(tmp_path / "images.npz")), output


def local_images(folder, plain: bool = False) -> np.ndarray:
    import torch
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


def test_with_diffusers_alone(hub, uploaded, tmp_path):
    images, _ = run(hub, uploaded, tmp_path, WITHOUT_ZOO, with_zoo=False)
    for name in uploaded["revisions"]:
        plain = name == "unconditional_ddpm"
        versions = [local_images(uploaded["folder"] / name / version, plain) for version in ("v1", "v2")]
        np.testing.assert_allclose(images[f"{name} pinned"], versions[0], atol=1e-5)
        np.testing.assert_allclose(images[name], versions[1], atol=1e-5)
        np.testing.assert_array_equal(images[f"{name} after another"], images[name])
    np.testing.assert_array_equal(images["dcgan after others"], images["dcgan"])


def test_two_versions_of_the_shared_code_in_one_process(hub, uploaded, tmp_path):
    """diffusers loads a relatively imported file once by its name, so the name has to tell the versions apart."""
    for version, text in (("old", "TOLD = 'old'"), ("new", "TOLD = 'new'")):
        folder = tmp_path / version
        source = uploaded["folder"] / "dcgan" / "v1"
        package = tmp_path / f"package_{version}"
        package.mkdir()
        (package / "base.py").write_text((next(source.glob("base_*.py"))).read_text() + text + "\n")
        pipeline = (source / "pipeline.py").read_text()
        name = next(source.glob("base_*.py")).stem
        (package / "source.py").write_text(pipeline.replace(f"from .{name} import", "from .base import TOLD,"))
        code = f"""
import importlib.util, sys
sys.path.insert(0, {str(tmp_path)!r})
module = __import__("package_{version}.source").source
import zoo
pipe = zoo.from_pretrained({str(source)!r})
module.DCGANPipeline(pipe.generator_model).save_pretrained({str(folder)!r})
"""
        hub.python(code)
    code = f"""
import sys
from diffusers import DiffusionPipeline
for version in ("old", "new"):
    pipe = DiffusionPipeline.from_pretrained({str(tmp_path)!r} + "/" + version, trust_remote_code=True)
    print(sys.modules[type(pipe).__module__].TOLD)
"""
    assert hub.python(code, with_zoo=False).split() == ["old", "new"]


def test_offline_from_the_cache(hub, uploaded):
    code = "import zoo; print(type(zoo.from_pretrained('zoo/dcgan')).__name__)"
    hub.python(code)
    offline = "import os; os.environ['HF_HUB_OFFLINE'] = '1'; os.environ['HF_ENDPOINT'] = 'http://127.0.0.1:9'\n"
    assert hub.python(offline + code).strip() == "DCGANPipeline"


def test_push_to_hub_publishes_the_same_layout(hub, uploaded, tmp_path):
    folder = uploaded["folder"] / "dcgan" / "v1"
    hub.python(f"import zoo; zoo.from_pretrained({str(folder)!r}).push_to_hub('zoo/pushed')")
    pushed = {file for file in hub.api.list_repo_files("zoo/pushed")}
    saved = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert saved <= pushed
    index = json.loads(open(hub.api.hf_hub_download("zoo/pushed", "model_index.json", cache_dir=tmp_path)).read())
    assert index["_class_name"] == ["pipeline", "DCGANPipeline"]
