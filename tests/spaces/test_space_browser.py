"""The Space in a real browser: what visitors once met, and must not meet again. Pictures: `outputs/screenshots/`."""

import csv
import io
import json
import re
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from browser import BROWSER, DESK, LAPTOP, OPTIONS, PHONE, SECONDS, Visitor
from PIL import Image

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here; `apt-get install chromium` brings one")
# What reaches beyond the screen and is not scrolled within it
WIDER = """width => [...document.querySelectorAll('[data-shown] *')].filter(one =>
  one.getBoundingClientRect().right > width + 1 && !one.closest('.wide')).slice(0, 6).map(one =>
  one.tagName + '.' + one.className + ' ' + one.textContent.slice(0, 40))"""


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        context = browser.new_context(accept_downloads=True)  # pages share what the browser has cached
        context.set_default_timeout(45 * SECONDS)
        yield context
        browser.close()


@pytest.fixture
def visit(chromium, site):
    """Opens the page; afterwards nothing must have gone wrong, and nobody else been asked for anything."""
    visitors = []

    def visit(name: str = "laptop-light", size: dict = LAPTOP, scheme: str = "light", query: str = "") -> Visitor:
        visitor = Visitor(chromium.new_page(), name)
        visitors.append(visitor)
        visitor.page.set_viewport_size(size)
        visitor.page.emulate_media(color_scheme=scheme)
        visitor.page.goto(site.url + query)
        visitor.view.locator("figure, .problem").first.wait_for()
        return visitor

    yield visit
    for visitor in visitors:
        visitor.page.close()
        assert visitor.errors == []
        assert visitor.hosts <= {"127.0.0.1", "localhost", None}


@pytest.fixture
def busy(site):
    """Holds the queue, as another visitor does, until it is called."""
    jobs = site.jobs
    end = threading.Event()

    def work():
        from jobs import News

        while not end.wait(0.05):
            yield News("busy")
        yield "done"

    job = jobs.submit(work, 40.0)
    yield end.set
    end.set()
    jobs.stop(job)


def test_hearts_on_arrival_and_all_that_is_needed_above_the_fold(visit):
    visitor = visit()
    assert visitor.panel.locator(".gallery figure").count() == 8
    assert (
        "Generated. It shows nobody and is not for diagnosis. conditional-ddpm · NOR · seed 0"
        in visitor.view.inner_text()
    )
    for name in ("Generate", "Stop", "Random"):
        box = visitor.panel.get_by_role("button", name=name, exact=True).bounding_box()
        assert box["y"] + box["height"] <= LAPTOP["height"], name
    alts = visitor.panel.locator(".gallery img").evaluate_all("all => all.map(one => one.alt)")
    assert alts[0].startswith("Generated image 1 of 8 by conditional-ddpm")
    visitor.shoot("arrival")
    visitor.panel.get_by_label("Hypertrophic").check()  # stored hearts, at once
    visitor.wait("text=/conditional-ddpm · HCM · seed 0/")
    assert "the wall is thick" in visitor.panel.inner_text()


def test_waiting_is_seen_and_can_be_stopped(visit, busy):
    visitor = visit()
    visitor.click("Generate")
    place = visitor.view.get_by_text(re.compile(r"2nd in the queue, about \d+ s"))
    place.wait_for()
    assert place.bounding_box()["height"] > 10 and visitor.view.locator("progress").bounding_box()["height"] > 5
    visitor.shoot("waiting")
    visitor.click("Stop")
    visitor.wait("text=Stopped.")
    busy()


def test_the_next_request_replaces_the_last(visit, busy):
    visitor = visit()
    visitor.click("Generate")
    visitor.view.get_by_text(re.compile("2nd in the queue")).wait_for()
    visitor.field("Seed").fill("7")
    visitor.click("Generate")
    busy()
    visitor.wait("text=/seed 7, samples/")
    visitor.page.wait_for_timeout(500)
    assert "seed 7, samples" in visitor.view.inner_text() and "Stopped" not in visitor.view.inner_text()


def test_a_result_says_what_made_it_and_can_be_taken_away(visit, tmp_path):
    visitor = visit()
    visitor.more()
    visitor.menu("Model").select_option("hearts")
    visitor.panel.get_by_label("Hypertrophic").check()
    visitor.wait("text=/hearts · HCM/")
    visitor.field("Steps").fill("1")
    visitor.field("Images").fill("3")
    visitor.click("Generate")
    visitor.wait("text=/hearts · HCM · seed 0, samples 0 to 2 · 1 step · guidance 1/")
    assert visitor.view.locator("img.mask").count() == 3
    visitor.view.get_by_label("Masks").uncheck()
    assert not visitor.view.locator("img.mask").first.is_visible()
    visitor.shoot("generate")
    names = []
    for label in ("Download PNG", "Download NIfTI, in mm", "Download HF dataset"):
        file = visitor.download(label)
        names.append(file.suggested_filename)
        file.save_as(tmp_path / names[-1])
        with zipfile.ZipFile(tmp_path / names[-1]) as archive:
            inside = {name.partition("/")[2]: name for name in archive.namelist()}
            readme = archive.read(inside["README.md"]).decode()
            settings = json.loads(archive.read(inside["settings.json"]))
        assert "synthetic" in readme.lower() and "## Licence" in readme and "## Citation" in readme
        assert settings["synthetic"] and settings["model"] == "hearts" and settings["classes"] == {"pathology": "HCM"}
    assert names[0] == "synthetic_hearts_HCM_seed0_n3_steps1_png.zip"
    with zipfile.ZipFile(tmp_path / names[0]) as archive:
        masks = [name for name in archive.namelist() if name.endswith("_gt.png")]
        assert len(masks) == 3
    assert visitor.download("Montage").suggested_filename.endswith("_montage.png")
    visitor.more()
    visitor.menu("Model").select_option("acgan")  # old hearts do not stand under the new name
    assert "hearts" in visitor.view.inner_text()


def test_an_image_is_enlarged_by_mouse_and_by_keys_and_earlier_results_come_back(visit):
    visitor = visit()
    visitor.view.locator(".gallery .frame").nth(1).click()
    zoom = visitor.page.get_by_role("dialog", name="Enlarged image")
    large = zoom.locator("img").first
    assert large.bounding_box()["width"] > 500
    second = large.get_attribute("src")
    visitor.page.keyboard.press("ArrowRight")
    assert large.get_attribute("alt").startswith("Generated image 3 of 8")
    visitor.shoot("enlarged")
    visitor.page.keyboard.press("Escape")
    zoom.wait_for(state="hidden")
    visitor.view.locator(".gallery .frame").nth(1).focus()
    visitor.page.keyboard.press("Enter")
    assert large.get_attribute("src") == second
    zoom.get_by_role("button", name="Close").click()
    zoom.wait_for(state="hidden")
    visitor.panel.get_by_label("Hypertrophic").check()
    visitor.wait("text=/conditional-ddpm · HCM · seed 0/")
    visitor.menu("Earlier results").wait_for()
    earlier = visitor.menu("Earlier results").locator("option").all_inner_texts()
    assert len(earlier) == 2 and "NOR" in earlier[1]
    visitor.menu("Earlier results").select_option(index=1)
    visitor.wait("text=/conditional-ddpm · NOR · seed 0/")


@pytest.mark.slow  # two visits with a sampling each
def test_a_link_brings_the_same_result(visit):
    first = visit(query="?model=conditional-ddpm&pathology=HCM&phase=ES&seed=5&count=2&steps=2&guidance=1.5")
    first.wait("text=/conditional-ddpm · HCM · ES · seed 5, samples 0 to 1 · 2 steps · guidance 1.5/")
    pictures = first.view.locator(".gallery img").evaluate_all("all => all.map(one => one.src)")
    link = first.view.get_by_role("link", name="Link").get_attribute("href")
    second = visit(query=link)
    second.wait("text=/seed 5, samples 0 to 1/")
    assert second.view.locator(".gallery img").evaluate_all("all => all.map(one => one.src)") == pictures
    broken = visit(query="?model=nobody")
    assert "This link: model: expected one of" in broken.view.inner_text()


@pytest.mark.parametrize(
    ("label", "sent", "said"),
    [
        ("Images", "200", "images: expected a whole number from 1 to 16, got 200"),
        ("Seed", "", "seed: expected a whole number from 0 to 4294967295, the field is empty"),
    ],
)
def test_what_is_wrong_stands_in_place_of_the_result(visit, label, sent, said):
    visitor = visit()
    visitor.field(label).fill(sent)
    visitor.click("Generate")
    visitor.wait(".problem")
    assert visitor.view.inner_text().strip() == said  # no stale hearts beside it


def test_menus_close_when_one_tabs_on_and_tabs_know_the_arrows(visit):
    visitor = visit()
    visitor.more()
    visitor.menu("Model").focus()
    visitor.page.keyboard.press("Tab")
    assert visitor.page.locator("[role=listbox]:visible").count() == 0
    assert visitor.panel.locator("select:focus").count() <= 1
    groups = visitor.menu("Model").locator("optgroup").evaluate_all("all => all.map(one => one.label)")
    assert groups[0] == "Diffusion" and groups[-1] == "Not hearts"
    visitor.page.get_by_role("tab", name="Generate").focus()
    visitor.page.keyboard.press("ArrowRight")
    assert visitor.page.get_by_role("tab", name="To order").get_attribute("aria-selected") == "true"
    visitor.page.keyboard.press("End")
    assert visitor.panel.get_attribute("aria-labelledby") == "tab-style"


def test_no_millimetres_from_an_unknown_scale(visit, heart, tmp_path):
    Image.fromarray(heart).save(tmp_path / "heart.jpg", quality=95)
    visitor = visit()
    visitor.open("Measure")
    visitor.panel.locator("input[type=file]").set_input_files(tmp_path / "heart.jpg")
    visitor.wait("text=/A heart in short axis/")
    text = visitor.view.inner_text()
    assert not re.search(r"\bmm", text.replace("to get millimetres", "")) and re.search(
        r"wall, mean\s+\d+\.\d ± \d+\.\d px", text
    )
    assert visitor.view.locator(".bar").count() == 0
    visitor.field("Side of a pixel").fill("2")
    visitor.click("Measure")
    visitor.wait("text=/wall, mean\\s+\\d+\\.\\d ± 0\\.9 mm/")
    assert visitor.view.locator(".bar").count() == 1
    visitor.shoot("measure")
    with zipfile.ZipFile(
        io.BytesIO(open(visitor.download("Download mask, CSV and picture").path(), "rb").read())
    ) as archive:
        assert set(archive.namelist()) == {"mask.nii.gz", "picture.png", "measures.csv", "about.json"}
    noise = np.random.default_rng(0).integers(256, size=(64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    visitor.panel.get_by_label("Clear").click()
    visitor.panel.locator("input[type=file]").set_input_files(tmp_path / "noise.png")
    visitor.wait("text=/does not look like a heart/")
    assert "wall" not in visitor.view.inner_text()


def test_generated_hearts_are_measured(visit):
    visitor = visit()
    visitor.click("Measure this")
    visitor.panel.get_by_text(
        re.compile("Generated images of conditional-ddpm, seed 0|does not look like a heart")
    ).first.wait_for()
    assert visitor.panel.get_attribute("id") == "sheet-measure"


def test_a_round_is_balanced_and_each_picture_answered_once(visit, site):
    visitor = visit()
    visitor.open("Real or synthetic?")
    visitor.menu("Model").select_option("a-gan")
    before = len(list(csv.DictReader(open(site.answers)))) if site.answers.exists() else 0
    visitor.click("Start")
    for number in range(1, 11):
        visitor.wait(f"text=/{number} of 10/")
        button = visitor.view.get_by_role("button", name="Synthetic")
        visitor.page.wait_for_function("one => !one.disabled", arg=button.element_handle())
        picture = visitor.view.locator("img").get_attribute("src")
        if number == 1:
            button.dblclick()
        else:
            visitor.page.keyboard.press("ArrowRight")
        visitor.wait("text=/Correct|Wrong/")
        assert visitor.view.locator("img").get_attribute("src") == picture  # it stays with its truth
        next_ = visitor.view.get_by_role("button", name="Next")
        visitor.page.wait_for_function("one => !one.disabled", arg=next_.element_handle())
        if number == 5:
            visitor.shoot("reader")
        visitor.page.keyboard.press("Enter")
    visitor.wait("text=/5 of 10 right: 50%/")
    assert visitor.view.locator("figure").count() == 10
    rows = list(csv.DictReader(open(site.answers)))[before:]
    assert [row["number"] for row in rows] == [str(i) for i in range(1, 11)]
    assert sum(row["truth"] == "real" for row in rows) == 5


def test_a_dataset_is_made_as_asked_for(visit, tmp_path):
    visitor = visit()
    visitor.open("Build a dataset")
    visitor.more()
    visitor.menu("Model").select_option("hearts")
    visitor.field("Steps").fill("2")
    visitor.field("Images").fill("40")
    visitor.click("Make")
    visitor.wait("text=/40 generated images with masks/")
    assert "cardiac-zoo generate model_cards/hearts --output synthetic_hearts" in visitor.view.inner_text()
    visitor.shoot("dataset")
    visitor.download("Download the zip").save_as(tmp_path / "made.zip")
    with zipfile.ZipFile(tmp_path / "made.zip") as archive:
        assert sum(name.endswith("_gt.png") for name in archive.namelist()) == 40


def test_compare_shows_hearts_alone_the_best_first(visit, tmp_path):
    visitor = visit()
    visitor.open("Compare")
    visitor.click("Compare")
    visitor.wait("text=/models · HCM · seed 0/")
    captions = visitor.view.locator("figcaption").all_inner_texts()
    names = [caption.split(" · ")[0] for caption in captions[1:]]
    assert names[:4] == ["conditional-ddpm", "a-gan", "acgan", "cvae"] and "lesions" not in names
    rows = visitor.panel.locator(".figures tbody th")
    references = ["real images", "mean image", "copy of training images"]
    best_first = {
        "KID (EfficientNet-Lite0)": ["acgan", "cvae", "a-gan", "conditional-ddpm"],
        "Model": ["a-gan", "acgan", "conditional-ddpm", "cvae"],
    }
    for heading, order in best_first.items():
        visitor.panel.locator(".figures thead").get_by_text(heading, exact=True).click()
        assert rows.all_inner_texts() == [*references, *order]
    assert "lower is better" in visitor.panel.locator(".figures thead").inner_text()
    assert visitor.download("Download this as PNG").suggested_filename == "synthetic_comparison.png"
    file = visitor.download("Download the figures as CSV")
    assert "conditional-ddpm" in Path(file.path()).read_text()
    visitor.shoot("compare")


def test_a_heart_is_ordered_changed_and_painted(visit):
    visitor = visit()
    visitor.open("To order")
    visitor.click("Make")
    visitor.wait("text=/wall thickness \\d+(\\.\\d)? mm/")
    assert visitor.view.locator("img.mask").count() == 4 and "Measured on the masks" in visitor.view.inner_text()
    visitor.shoot("order")


def test_denoising_latents_and_styles_work_alike(visit):
    visitor = visit()
    visitor.open("Denoise")
    visitor.click("Denoise")
    visitor.wait(".scrubber")
    stage, slider = visitor.view.locator(".stage"), visitor.view.get_by_label("From noise to image").last
    last = stage.locator("img").get_attribute("src")
    slider.focus()
    slider.press("Home")
    assert "step 1 of 3" in stage.inner_text() and stage.locator("img").get_attribute("src") != last
    visitor.open("Latent")
    visitor.menu("Model").select_option("cvae")
    visitor.click("Walk")
    visitor.wait(".scrubber")
    assert visitor.view.locator(".strip figure").count() == 13
    visitor.open("Style")
    visitor.wait("figure >> nth=2")
    before = visitor.view.locator("figure img").last.get_attribute("src")
    visitor.menu("Style weight").select_option("10")
    visitor.page.wait_for_function(
        "([view, old]) => [...view.querySelectorAll('img')].at(-1).src !== old",
        arg=[visitor.view.element_handle(), before],
    )
    visitor.click("Run live")
    visitor.wait("text=/computed in/")


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("phone-light", PHONE, "light"), pytest.param("desk-dark", DESK, "dark", marks=pytest.mark.slow)],
)
def test_every_tab_is_reached_and_fits_the_screen(visit, name, size, scheme):
    visitor = visit(name, size, scheme)
    view = visitor.view.bounding_box()
    assert view["y"] < size["height"] and visitor.page.get_by_role("tab").count() == 9
    for tab in visitor.page.get_by_role("tab").all():
        tab.click()
        visitor.shoot(tab.get_attribute("data-tab"))
        assert tab.bounding_box()["y"] < size["height"] / 3
        wide = visitor.page.evaluate(WIDER, size["width"])
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= size["width"], wide
    background = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 180) == (scheme == "dark")
