"""An app of somebody else's on another origin: where people come back to, and whose pages call the gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

_PAGE = (
    '<!doctype html><html lang="en"><head><title>App</title><link rel="icon" href="data:,"></head>'
    "<body><main><h1>{}</h1></main></body></html>"
)


@dataclass
class AppSite:
    """Args: origin: scheme, host and port. arrivals: queries of those who came back, in order."""

    origin: str = ""
    arrivals: list[dict[str, str]] = field(default_factory=list)

    @property
    def redirect_url(self) -> str:
        return f"{self.origin}/back"


@asynccontextmanager
async def app_site() -> AsyncIterator[AppSite]:
    """Serve the app on a free port of localhost, which is another origin than 127.0.0.1."""
    site = AppSite()

    async def back(request: web.Request) -> web.Response:
        site.arrivals.append(dict(request.query))
        return web.Response(text=_PAGE.format("Welcome back"), content_type="text/html")

    async def home(_request: web.Request) -> web.Response:
        return web.Response(text=_PAGE.format("App"), content_type="text/html")

    app = web.Application()
    app.router.add_get("/back", back)
    app.router.add_get("/", home)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.origin = f"http://localhost:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()
