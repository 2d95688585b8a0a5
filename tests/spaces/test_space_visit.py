"""The Space through HTTP, as a program uses it: every event, refusals, and files that nobody has given."""

import csv
import io
import re
import time
import zipfile

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

import space_load

DRAWN = space_load.DRAWN


@pytest.fixture
def client(site, monkeypatch, tmp_path):
    return site.client(monkeypatch, tmp_path / "downloads")


def figures(html: str) -> int:
    return html.count("<figure")


def file_of(update) -> str:
    """The file of a download button, which a client gets as an update of the button."""
    return update["value"] if isinstance(update, dict) else update


def test_every_tab_answers_a_program(client, site):
    before = len(site.hosts)
    status, html, png, nifti, dataset = client.predict(
        "conditional-ddpm", "HCM", "ES", "drawn", 3, 4, 2, 1.5, api_name="/generate"
    )
    assert status.startswith("**3 images** of 8 × 8 pixels in ") and figures(html) == html.count("HCM · ES<") == 3
    with zipfile.ZipFile(file_of(png)) as archive:
        small = np.asarray(Image.open(io.BytesIO(archive.read("00002.png"))))
        assert small.shape == (8, 8)
    for file, names in ((nifti, "00002.nii.gz"), (dataset, "zoo_dataset.json")):
        assert names in zipfile.ZipFile(file_of(file)).namelist()

    status, html = client.predict("HCM", 0, api_name="/compare")
    assert status == "9 of 9 models, seed 0" and figures(html) == 10 and "phantom, a drawn heart · HCM" in html
    table, figure = client.predict(api_name="/results")
    assert '<th scope="row">a-gan</th><td data-value="85.0">85.0 [83.0, 87.0]' in table and figures(figure) == 1

    status, html = client.predict("score-model", *DRAWN, 0, 4, 1, api_name="/denoise")
    assert status.startswith("**4 steps**") and figures(html) == 1 + 4

    words, html = client.predict("cvae", "drawn", 0, 1, api_name="/walk")
    assert "From seed 0 to seed 1 in 13 pictures" in words and figures(html) == 1 + 13
    first, second = (client.predict("infogan", 2, 0, 0.5, code, api_name="/codes") for code in (-1, 1))
    assert figures(first) == 1 and "category 2, 0.5, -1" in first and first != second

    words, html = client.predict("cvae-encoder", 2, 3, 1, 2, api_name="/style")
    assert figures(html) == 3 and words.startswith("Style loss ")
    words, html = client.predict("style-transfer", "cvae-encoder", 0, 10, 2, 1, 1, api_name="/style_live")
    assert figures(html) == 3 and "computed in" in words

    question, html, *_ = client.predict("a-gan", "pairs", api_name="/reader_start")
    assert question.startswith("Which of the two is drawn (phantom)?") and figures(html) == 2
    for name in ("/reader_first", "/reader_second"):
        told, html, score = client.predict(api_name=name)
        assert re.match(r"\*\*(Correct|Wrong)\*\*: the drawn \(phantom\) one was on the (left|right)\.", told)
        assert figures(html) == 2
    assert "of 2 right" in score
    rows = list(csv.DictReader(open(site.answers)))[-2:]
    assert [(row["model"], row["mode"], row["number"]) for row in rows] == [
        ("a-gan", "pairs", "1"),
        ("a-gan", "pairs", "2"),
    ]
    assert set(site.hosts[before:]) <= {"127.0.0.1", "localhost", None}


def test_an_upload_is_measured_or_refused(client, heart, tmp_path):
    from gradio_client import handle_file

    Image.fromarray(heart).save(tmp_path / "heart.png")
    words, html, table, neighbours = client.predict(
        handle_file(tmp_path / "heart.png"), 2.0, 0, "a-gan", api_name="/measure"
    )
    assert words.startswith("### A heart in short axis") and figures(html) == 3
    assert re.search(r"Wall thickness, mean \| \d+\.\d mm", table) and figures(neighbours) == 4
    Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64), dtype=np.uint8)).save(tmp_path / "noise.png")
    words, html, table, neighbours = client.predict(
        handle_file(tmp_path / "noise.png"), 0, 0, "a-gan", api_name="/measure"
    )
    assert "does not look like a heart" in words and figures(html) == 1 and table == neighbours == ""
    (tmp_path / "words.png").write_text("no picture")
    with pytest.raises(Exception, match="this is none of them"):
        client.predict(handle_file(tmp_path / "words.png"), 0, 0, "a-gan", api_name="/measure")


@pytest.mark.parametrize(
    ("name", "sent", "message"),
    [
        ("/generate", ["a-gan", *DRAWN, 17, 0, 1, 1], "count: expected a whole number from 1 to 16"),
        ("/generate", ["/etc", *DRAWN, 1, 0, 1, 1], "model: expected one of"),
        ("/denoise", ["conditional-ddpm", *DRAWN, 0, 10**6, 1], "steps: expected a whole number from 1 to 100"),
        ("/compare", ["../HCM", 0], "pathology: expected one of"),
        ("/walk", ["a-gan", "drawn", -1, 0], "from seed: expected a whole number"),
        ("/codes", ["infogan", 9, 0, 0, 0], "category: expected a whole number from 1 to 3"),
        ("/codes", ["infogan", 1, 0, 99, 0], "code 1: expected a number from -2"),
        ("/style", ["cvae-encoder", 3, 1, 1, 1], "content image: expected a whole number from 1 to 2"),
        ("/style", ["../..", 1, 1, 1, 1], "is not part of the grid"),
        ("/style_live", ["style-transfer", "cvae-encoder", 0, 10**6, 1, 1, 1], "iterations: expected a whole number"),
        ("/style_live", ["style-transfer", "vgg19", 0, 10, 1, 1, 1], "feature network: live, cvae-encoder can be run"),
        ("/style_live", ["a-gan", "cvae-encoder", 0, 10, 1, 1, 1], "model: expected one of style-transfer"),
        ("/reader_first", [], "answer: start a round first"),
        ("/measure", [None, 0, 0, "a-gan"], "upload: expected a PNG"),
    ],
)
def test_what_is_out_of_bounds_is_refused_on_the_server(client, name, sent, message):
    with pytest.raises(Exception, match=message):
        client.predict(*sent, api_name=name)


def test_no_file_is_served_that_was_not_given(site, kept):
    (kept / "secret.txt").write_text("secret")
    for path in ("/etc/passwd", kept / "secret.txt", kept / "models/a-gan/metrics.json", site.answers, "app.py"):
        answer = httpx.get(f"{site.url}gradio_api/file={path}")
        assert answer.status_code in (403, 404), path
    for path in ("/etc/passwd", str(kept / "secret.txt")):  # an upload that was none
        sent = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, 0, 0, "a-gan"]}
        event = httpx.post(f"{site.url}gradio_api/call/measure", json=sent)
        told = (
            httpx.get(f"{site.url}gradio_api/call/measure/{event.json()['event_id']}").text if event.is_success else ""
        )
        assert "complete" not in told and "secret" not in told and "root:" not in told


@pytest.mark.parametrize(
    ("users", "seconds"), [(10, 10), pytest.param(50, 60, marks=pytest.mark.slow)], ids=["ten", "fifty"]
)
def test_many_users_at_once(site, monkeypatch, users, seconds):
    clients = [site.client(monkeypatch) for _ in range(users)]
    found = space_load.crowd(clients, "a-gan", seconds, psutil.Process())
    assert found.errors == [] and len(found.took) >= users
    assert found.growth < 100  # MB


@pytest.mark.slow
def test_the_first_picture_comes_soon(site, monkeypatch):
    """On two cores: a GAN's within a second, the fastest setting of a diffusion model of the published size in five."""
    from pathlib import Path

    import zoo
    from sampling import check_request, draw

    client = site.client(monkeypatch)
    start = time.monotonic()
    job = client.submit("a-gan", *DRAWN, 8, 0, 1, 1, api_name="/generate")
    next(iter(job))
    assert time.monotonic() - start < 1
    published = Path(__file__).resolve().parents[2] / "model_cards" / "ddpm-acdc-64"
    pipe = zoo.from_pretrained(published)
    start = time.monotonic()
    draw(pipe, check_request(pipe, "ddpm", DRAWN, 1, 0, 5, 1.0), site.answers.with_name(f"speed-{start}"))
    assert time.monotonic() - start < 5
