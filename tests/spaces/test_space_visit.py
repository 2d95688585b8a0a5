"""The Space through HTTP, as a program uses it: every endpoint, refusals, and files that nobody has given."""

import re
import time
import zipfile
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

import api
import space_load

README = Path(__file__).resolve().parents[2] / "spaces" / "cardiac-mri-zoo" / "README.md"


@pytest.fixture
def client(site, monkeypatch, tmp_path):
    return site.client(monkeypatch, tmp_path / "downloads")


def test_the_examples_of_the_readme_run(client, site, heart, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    Image.fromarray(heart).save(tmp_path / "heart.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gradio_client.Client", lambda name: client)
    before, found = len(site.hosts), {}
    exec(code, found)
    assert found["best"] == "conditional-ddpm"
    assert len(found["files"]) == 4 and np.asarray(Image.open(found["files"][0])).shape == (8, 8)
    assert found["about"]["classes"] == {"pathology": "HCM"} and "seed 0" in found["about"]["provenance"]
    with zipfile.ZipFile(found["pairs"]) as archive:
        assert sum(name.endswith(".nii.gz") for name in archive.namelist()) == 20
    assert found["slices"][0]["problem"] == "" and found["slices"][0]["wall, mean"]["unit"] == "mm"
    assert set(site.hosts[before:]) <= {"127.0.0.1", "localhost", None}


def test_parameters_have_names_and_the_page_s_own_events_are_not_offered(client):
    told = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(told) == {"/models", "/generate", "/dataset", "/measure"}
    names = [each["parameter_name"] for each in told["/generate"]["parameters"]]
    assert names == ["model", "pathology", "phase", "slice_level", "count", "seed", "steps", "guidance"]
    required = [each["parameter_name"] for each in told["/generate"]["parameters"] if not each["parameter_has_default"]]
    assert required == ["model"]


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        ("/generate", {"model": "a-gan", "count": 17}, "count: expected a whole number from 1 to 16"),
        ("/generate", {"model": "/etc"}, "model: expected one of"),
        ("/generate", {"model": "a-gan", "pathology": "HCM"}, "not a condition of this model"),
        ("/dataset", {"model": "a-gan", "count": 1001}, "count: expected a whole number from 1 to 1000"),
        ("/dataset", {"model": "a-gan", "count": 1, "format": "exe"}, "format: expected one of png"),
        ("/measure", {"file": None}, "upload: expected a file that you have uploaded"),
    ],
)
def test_what_is_out_of_bounds_is_refused_on_the_server(client, name, sent, message):
    with pytest.raises(Exception, match=message):
        client.predict(**sent, api_name=name)


def test_the_first_file_of_a_server_is_served(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "no" / "folder yet"))
    assert Path(api._served("heart.png", b"heart")["path"]).read_bytes() == b"heart"


def test_no_file_is_served_that_was_not_given(site, kept):
    (kept / "secret.txt").write_text("secret")
    for path in ("/etc/passwd", kept / "secret.txt", kept / "models/a-gan/metrics.json", site.answers, "app.py"):
        answer = httpx.get(f"{site.url}gradio_api/file={path}")
        assert answer.status_code in (403, 404), path
    for path in ("/etc/passwd", str(kept / "secret.txt")):  # an upload that was none
        sent = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, None]}
        event = httpx.post(f"{site.url}gradio_api/call/measure", json=sent)
        told = (
            httpx.get(f"{site.url}gradio_api/call/measure/{event.json()['event_id']}").text if event.is_success else ""
        )
        assert "complete" not in told and "secret" not in told and "root:" not in told


@pytest.mark.parametrize(
    ("users", "seconds"), [(10, 4), pytest.param(50, 60, marks=pytest.mark.slow)], ids=["ten", "fifty"]
)
def test_many_users_at_once_beside_one_who_asks_for_a_thousand(site, monkeypatch, users, seconds):
    clients = [site.client(monkeypatch) for _ in range(users)]
    long = site.client(monkeypatch).submit("hearts", count=1000, steps=1, api_name="/dataset")
    try:
        found = space_load.crowd(clients, "a-gan", seconds, psutil.Process())
    finally:
        long.cancel()  # other tests have the same queue
    assert found.errors == [] and len(found.took) >= users
    assert found.growth < 100  # MB


@pytest.mark.slow
def test_the_first_picture_comes_soon(site, monkeypatch):
    """On two cores: a GAN's within a second, the fastest setting of a diffusion model of the published size in five."""
    import zoo
    from asking import ask

    client = site.client(monkeypatch)
    start = time.monotonic()
    client.predict("a-gan", count=8, api_name="/generate")
    assert time.monotonic() - start < 1
    pipe = zoo.from_pretrained(README.parents[2] / "model_cards" / "ddpm-acdc-64")
    start = time.monotonic()
    pipe(**ask(model="ddpm", count=1, steps=5).call(pipe))
    assert time.monotonic() - start < 5
