"""A person at a browser: opens pages, fills fields by their labels, reads mail; and notes everything that goes wrong.

Console errors, failed requests and violations of the content security policy are complaints; so is what axe-core finds.
"""

import asyncio
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from conftest import GatepostStack
from playwright.async_api import ConsoleMessage, Page, Request, Response

MAIL_SECONDS = 15
# What Chromium reports in its console for a form that is refused on purpose.
_EXPECTED = ("Failed to load resource: the server responded with a status of 4",)


class Visitor:
    """Args: page: his tab. stack: whose outbox is his mailbox."""

    def __init__(self, page: Page, stack: GatepostStack) -> None:
        self.page = page
        self.stack = stack
        self.complaints: list[str] = []
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        page.on("requestfailed", self._note_failure)
        page.on("response", self._note_response)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_EXPECTED):
            self.complaints.append(f"{message.type} on {self.page.url}: {message.text}")

    def _note_failure(self, request: Request) -> None:
        # What is still loading when the person goes on is given up by the browser, which is no fault.
        ours = urlsplit(request.url).netloc == urlsplit(self.stack.url).netloc
        if ours and request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 500 or (response.status == 404 and response.request.resource_type != "document"):
            self.complaints.append(f"{response.status}: {response.url}")

    async def open(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(path)

    async def fill(self, **fields: str) -> None:
        """Fill fields by the names of the form."""
        for name, value in fields.items():
            await self.page.locator(f'main [name="{name}"]').fill(value)

    async def press(self, button: str) -> None:
        """Press a button of the page by what it says, and wait for what comes."""
        async with self.page.expect_navigation():
            await self.page.get_by_role("button", name=button, exact=True).click()

    async def heading(self) -> str:
        """What the page says it is."""
        return (await self.page.locator("h1").first.inner_text()).strip()

    async def mail(self, address: str, template: str) -> dict[str, Any]:
        """The newest mail of a kind to an address, waited for."""
        async with asyncio.timeout(MAIL_SECONDS):
            while True:
                for message in await asyncio.to_thread(self.stack.outbox, address):
                    if message["template"] == template:
                        return message
                await asyncio.sleep(0.1)

    async def check_accessibility(self) -> None:
        """Let axe-core look at the page as it is; nothing it finds is acceptable."""
        found = await Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()
