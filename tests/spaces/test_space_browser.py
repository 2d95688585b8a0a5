"""The Space in a real browser, as a person uses it. Screenshots go to `outputs/screenshots/`."""

import re
import shutil
from pathlib import Path
from urllib.parse import urlparse

import pytest

SCREENSHOTS = Path(__file__).resolve().parents[2] / "outputs" / "screenshots"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
LAPTOP, PHONE = {"width": 1366, "height": 850}, {"width": 390, "height": 844}
TABS = ["Generate", "Compare", "Denoise", "Latent", "Style transfer", "Real or synthetic?", "Measure"]
SECONDS = 1000

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium here; `apt-get install chromium` brings one")


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        yield browser
        browser.close()


class Visitor:
    """A page, and what went wrong on it.

    Args:
        page: Of Playwright.
        name (`str`): What its screenshots begin with.
    """

    def __init__(self, page, name: str):
        self.page, self.name = page, name
        self.errors, self.hosts = [], set()
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlparse(request.url).hostname))

    def open(self, tab: str) -> None:
        """Opens a tab; on a phone it may be in the menu of those that do not fit."""
        button = self.page.get_by_role("tab", name=tab, exact=True)
        if not button.is_visible():
            self.page.locator(".overflow-menu > button").click()
            button = self.page.locator(".overflow-dropdown").get_by_text(tab, exact=True)
        button.click()
        self.panel.wait_for()

    @property
    def panel(self):
        """What is shown of the tabs."""
        return self.page.locator("[role=tabpanel]:visible")

    def choose(self, label: str, option: str) -> None:
        self.panel.get_by_label(label, exact=True).first.click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def click(self, name: str) -> None:
        self.panel.get_by_role("button", name=name, exact=True).click()

    def upload(self, path: Path) -> None:
        self.panel.locator("input[type=file]").set_input_files(path)
        # By its label: its name as text is whole only while it is uploaded, then split into stem and suffix
        self.panel.get_by_label(path.name, exact=True).wait_for()

    def wait(self, selector: str) -> None:
        self.panel.locator(selector).first.wait_for()

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(300)  # for what moves to come to rest
        self.page.screenshot(path=SCREENSHOTS / f"{self.name}-{name}.png", full_page=True)


@pytest.fixture
def visit(chromium, site):
    """Opens the page; afterwards nothing must have gone wrong, and nobody else been asked for anything."""
    visitors = []

    def visit(name: str, size: dict, scheme: str) -> Visitor:
        context = chromium.new_context(viewport=size, color_scheme=scheme, accept_downloads=True)
        context.set_default_timeout(60 * SECONDS)
        visitors.append((context, Visitor(context.new_page(), name)))
        visitor = visitors[-1][1]
        visitor.page.goto(site.url)
        visitor.panel.get_by_role("button", name="Generate", exact=True).wait_for()
        return visitor

    yield visit
    for context, visitor in visitors:
        context.close()
        assert visitor.errors == []
        assert visitor.hosts <= {"127.0.0.1", "localhost", None}


@pytest.fixture
def laptop(visit) -> Visitor:
    return visit("laptop-light", LAPTOP, "light")


def test_generate_and_download(laptop, tmp_path):
    assert "may be used for diagnosis" in laptop.page.inner_text("body")
    laptop.choose("Model", "conditional-ddpm")
    laptop.panel.get_by_text("DDPM, 8 × 8 pixels of 2 mm").wait_for()
    laptop.choose("Pathology", "HCM")
    laptop.panel.get_by_label("number input for Steps").fill("60")
    laptop.click("Generate")
    laptop.wait("progress")  # the bar, and a picture below it
    laptop.wait(".news img")
    laptop.wait("text=8 images")
    captions = laptop.panel.locator(".gallery figcaption").all_inner_texts()
    assert len(captions) == 8 and all(caption.startswith("HCM") for caption in captions)
    first = laptop.panel.locator(".gallery .frame").first
    box, bar = first.bounding_box(), first.locator(".bar").bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=1)  # square pixels
    assert bar["width"] / box["width"] == pytest.approx(5 / 16, abs=0.02)  # 5 mm of 16
    laptop.shoot("generate")
    for name, ending in (("PNG", "png.zip"), ("NIfTI, in mm", "nifti.zip"), ("Dataset", "dataset.zip")):
        button = laptop.panel.get_by_role("button", name=f"Download {name}", exact=True)
        with laptop.page.expect_download() as download:
            button.click()
        assert download.value.suggested_filename == f"conditional-ddpm_seed0_{ending}"


def test_compare_and_sort(laptop):
    laptop.open("Compare")
    laptop.click("Compare")
    laptop.wait("text=/9 of 9 models/")
    assert laptop.panel.locator(".result:not(.chart) figure").count() == 10
    rows = laptop.panel.locator(".figures tbody th")
    references = ["real images", "mean image", "copy of training images"]
    assert rows.all_inner_texts() == [*references, "a-gan", "acgan", "cvae"]
    for heading, order in (("KID", ["acgan", "cvae", "a-gan"]), ("Model", ["a-gan", "acgan", "cvae"])):
        button = laptop.panel.locator(".figures thead").get_by_text(heading, exact=True)
        button.click()
        assert rows.all_inner_texts() == [*references, *order]
        button.click()
        assert rows.all_inner_texts() == [*references, *order[::-1]]
    laptop.wait(".chart img")
    laptop.shoot("compare")


def test_denoise_and_scrub(laptop):
    laptop.open("Denoise")
    laptop.panel.get_by_label("number input for Steps").fill("6")
    laptop.click("Denoise")
    laptop.wait(".scrubber")
    stage = laptop.panel.locator(".stage")
    assert "step 6 of 6" in stage.inner_text()
    end = stage.locator("img").get_attribute("src")
    slider = laptop.panel.get_by_label("From noise to image").last
    slider.focus()
    slider.press("Home")
    assert "step 1 of 6" in stage.inner_text() and stage.locator("img").get_attribute("src") != end
    laptop.panel.locator(".strip figure").nth(3).click()
    assert "step 4 of 6" in stage.inner_text() and slider.input_value() == "3"
    laptop.shoot("denoise")


def test_walk_and_move_codes(laptop):
    laptop.open("Latent")
    laptop.choose("Model", "cvae")
    laptop.click("Walk")
    laptop.wait(".scrubber")
    assert laptop.panel.locator(".strip figure").count() == 13
    code = laptop.panel.get_by_label("number input for Code 1")
    caption = laptop.panel.locator("figcaption", has_text="category 1")
    assert caption.inner_text() == "category 1, 0, 0"
    code.fill("1.5")
    code.press("Enter")
    laptop.wait("text=category 1, 1.5, 0")
    laptop.shoot("latent")


def test_style_from_the_grid_and_live(laptop):
    laptop.open("Style transfer")
    laptop.wait("figure >> nth=2")
    before = laptop.panel.locator("figure img").last.get_attribute("src")
    slider = laptop.panel.get_by_role("slider", name=re.compile("Style weight"))
    assert laptop.panel.get_by_text("Style weight: 1", exact=True).is_visible()
    slider.focus()
    slider.press("ArrowRight")
    laptop.wait("text=Style weight: 10")
    laptop.page.wait_for_timeout(500)
    assert laptop.panel.locator("figure img").last.get_attribute("src") != before
    laptop.shoot("style")
    laptop.click("Run live")
    laptop.wait("progress")
    laptop.wait("text=/computed in/")
    assert laptop.panel.locator("figure").count() == 3


def test_a_round_of_the_reader_study(laptop, site):
    laptop.open("Real or synthetic?")
    laptop.click("Start")
    laptop.wait("text=/9 more to come/")
    assert "figcaption></figcaption" in laptop.panel.locator("figure").evaluate("one => one.outerHTML")
    rows = len(site.answers.read_text().splitlines()) if site.answers.exists() else 1
    for left in range(8, -2, -1):
        laptop.click("Synthetic")
        laptop.wait(f"text=/{left} more to come/" if left >= 0 else "text=/That was the last one/")
        if left == 5:
            laptop.shoot("reader")
    assert re.search(r"\d+ of 10 right: \d+% \(95 % interval", laptop.panel.inner_text())
    assert len(site.answers.read_text().splitlines()) == rows + 10
    laptop.panel.get_by_label("pairs").check()
    laptop.click("Start")
    laptop.wait("text=/Which of the two/")
    assert laptop.panel.locator("figure").count() == 2


def test_measure_an_upload(laptop, heart, tmp_path):
    import numpy as np
    from PIL import Image

    Image.fromarray(heart).save(tmp_path / "heart.png")
    Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64), dtype=np.uint8)).save(tmp_path / "noise.png")
    laptop.open("Measure")
    laptop.upload(tmp_path / "heart.png")
    laptop.click("Measure")
    laptop.wait("text=/Nearest image of a-gan/")
    assert re.search(r"Wall thickness, mean\s+\d+\.\d mm", laptop.panel.inner_text())
    assert laptop.panel.locator("figure").count() == 3 + 4
    laptop.shoot("measure")
    laptop.panel.get_by_label("Clear").click()
    laptop.upload(tmp_path / "noise.png")
    laptop.click("Measure")
    laptop.wait("text=/does not look like a heart/")


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("phone-dark", PHONE, "dark"), ("phone-light", PHONE, "light"), ("laptop-dark", LAPTOP, "dark")],
)
def test_every_tab_fits_the_screen(visit, name, size, scheme):
    visitor = visit(name, size, scheme)
    visitor.click("Generate")
    visitor.wait(".gallery img")
    for tab in TABS:
        visitor.open(tab)
        visitor.shoot(tab.lower().strip("?").replace(" ", "-"))
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= size["width"], tab
    background = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (brightness < 60) == (scheme == "dark")
