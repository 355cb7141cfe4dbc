"""A real browser: headless Chromium, found or installed, driven through Playwright; and a page that watches itself.

Without a browser the tests are skipped and the run says so in its last lines; with `CI` set that is a failure.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from browser.visitor import Visitor
from conftest import GatepostStack
from playwright.async_api import Browser, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_INSTALLER = Path(__file__).with_name("install_chromium.sh")
_NO_BROWSER = "BROWSER TESTS SKIPPED: there is no Chromium here; as root, run tests/browser/install_chromium.sh"
_FLAGS = [
    "--no-sandbox",  # containers and CI run as root, where Chromium's sandbox does not start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def _find() -> str | None:
    given = os.environ.get("GATEPOST_CHROMIUM")
    return given or next(filter(None, map(shutil.which, _NAMES)), None)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a Chromium, installed first if need be and we may."""
    found = _find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        log = tmp_path_factory.mktemp("chromium") / "install.log"
        with log.open("w") as output:
            subprocess.run([str(_INSTALLER)], check=False, stdout=output, stderr=subprocess.STDOUT, timeout=600)
        found = _find()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI must run the browser tests, and there is no Chromium")
        pytest.skip(_NO_BROWSER)
    return found


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
async def visitor(browser: Browser, stack: GatepostStack) -> AsyncIterator[Visitor]:
    """Yield somebody who has never been here, with an English browser on a desktop."""
    context = await browser.new_context(base_url=stack.url, locale="en-GB", viewport={"width": 1280, "height": 900})
    person = Visitor(await context.new_page(), stack)
    yield person
    await context.close()
    assert person.complaints == []


@pytest.fixture
def screenshots(tmp_path: Path) -> Callable[[str], Path]:
    """Return where a screenshot of that name goes: a folder of the environment's choice, else a temporary one."""
    folder = Path(os.environ.get("GATEPOST_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return lambda name: folder / f"{name}.png"
