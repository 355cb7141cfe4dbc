"""A stack whose services reach PostgreSQL and Valkey through proxies, so that they can be cut off from them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from conftest import TestPostgres
from faults.fault_proxy import LOOPBACK, FaultProxy

_DATABASES = ("auth", "users", "notify")


@asynccontextmanager
async def proxied(
    postgres: TestPostgres, valkey_url: Callable[[], str]
) -> AsyncIterator[tuple[Mapping[str, FaultProxy], Mapping[str, str]]]:
    """Yield proxies by what is behind them, and the settings of a stack that uses them."""
    async with AsyncExitStack() as ending:
        proxies, settings = {}, {}
        for database in _DATABASES:
            dsn = urlsplit(postgres.create_database())
            query = parse_qs(dsn.query)
            behind = Path(unquote(query["host"][0])) / f".s.PGSQL.{query['port'][0]}"
            proxy = proxies[f"postgres of {database}"] = await ending.enter_async_context(FaultProxy(behind))
            host = f"{dsn.netloc.rpartition('@')[0]}@{LOOPBACK}:{proxy.port}"
            settings[f"GATEPOST_{database.upper()}_POSTGRES_DSN"] = f"postgresql://{host}{dsn.path}"
        url = urlsplit(valkey_url())
        proxy = proxies["valkey"] = await ending.enter_async_context(FaultProxy(Path(unquote(url.path))))
        number = parse_qs(url.query)["db"][0]
        settings["GATEPOST_VALKEY_URL"] = f"redis://:{url.password}@{LOOPBACK}:{proxy.port}/{number}"
        yield proxies, settings
