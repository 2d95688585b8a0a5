"""WCAG 2.2 AA by axe-core in the real browser, in light and dark."""

from pathlib import Path

import pytest
from browser import BROWSER, LAPTOP, OPTIONS

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no chromium here; `apt-get install chromium` brings one"),
    pytest.mark.skipif(not AXE.is_file(), reason=f"no {AXE.relative_to(ROOT)}; `make browser` brings it"),
]


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        yield browser
        browser.close()


def found_on(page) -> list[str]:
    """What axe finds wrong, a line each; gradio's own footer is not ours."""
    result = page.evaluate(
        "rules => axe.run({exclude: [['footer']]}, {runOnly: {type: 'tag', values: rules}})",
        RULES,
    )
    return [
        f"{each['id']}: {node['target']} {node['html'][:160]}"
        for each in result["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "tabs",
    [
        ["generate", "measure"],
        pytest.param(["order", "dataset", "reader", "compare", "denoise", "latent", "style"], marks=pytest.mark.slow),
    ],
    ids=["two", "others"],
)
def test_nothing_stands_in_the_way_of_anybody(chromium, site, tabs, scheme):
    context = chromium.new_context(viewport=LAPTOP, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(site.url)
    page.locator(".view figure").first.wait_for()
    page.add_script_tag(path=AXE)
    wrong = {}
    for tab in tabs:
        page.locator(f"#tab-{tab}").click()
        for more in page.locator("[role=tabpanel]:visible").get_by_role("button", name="More: model").all():
            more.click()
        page.wait_for_timeout(500)
        wrong[tab] = found_on(page)
        if tab == "generate":
            page.locator(".view .gallery .frame").first.click()
            page.get_by_role("dialog", name="Enlarged image").wait_for()
            wrong["enlarged"] = found_on(page)
            page.keyboard.press("Escape")
    context.close()
    assert not any(wrong.values()), wrong
