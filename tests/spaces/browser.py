"""A visitor in a real browser, for tests."""

import re
import shutil
from pathlib import Path
from urllib.parse import urlparse

SCREENSHOTS = Path(__file__).resolve().parents[2] / "outputs" / "screenshots"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
LAPTOP, PHONE, DESK = ({"width": w, "height": h} for w, h in ((1366, 768), (390, 844), (1920, 1080)))
SECONDS = 1000


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
        """Opens a tab."""
        self.page.get_by_role("tab", name=tab, exact=True).click()
        self.panel.wait_for()

    @property
    def panel(self):
        """What is shown of the tabs."""
        return self.page.locator("[role=tabpanel]:visible")

    @property
    def view(self):
        """The place of the answer."""
        return self.panel.locator(".view:visible").first

    def more(self) -> None:
        """Opens what is not needed at first."""
        button = self.panel.get_by_role("button", name="More: model, phase, level, steps")
        if button.get_attribute("aria-expanded") != "true" and not self.menu("Model").is_visible():
            button.click()
        self.menu("Model").wait_for()

    def menu(self, label: str):
        """A menu of the tab that is open."""
        return self.panel.get_by_role("combobox", name=label, exact=True).first

    def field(self, label: str):
        """A field of the tab that is open."""
        return self.panel.get_by_role("spinbutton", name=re.compile(f"^{re.escape(label)}")).first

    def click(self, name: str) -> None:
        """Clicks a button."""
        self.panel.get_by_role("button", name=name, exact=True).first.click()

    def download(self, name: str):
        """Clicks a button and returns the file that comes of it."""
        with self.page.expect_download() as found:
            self.click(name)
        return found.value

    def wait(self, selector: str) -> None:
        """Waits for something in the answer."""
        self.view.locator(selector).first.wait_for()

    def shoot(self, name: str) -> None:
        """Keeps a picture of the page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{self.name}-{name}.png"
        self.page.screenshot(path=path, full_page=True, animations="disabled")  # what moves is shown at rest
