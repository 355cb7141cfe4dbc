"""Structured logs: one JSON object a line on stdout, with service name and request id. Never bodies, never secrets."""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from runtime.context import current


def configure(service: str, level: str) -> None:
    """Set up structlog and route the standard library's loggers through it.

    Args:
        service: Name that every line carries.
        level: debug, info, warning or error.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_call,
        _constant("service", service),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(sort_keys=True)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger; pass facts as keyword arguments, the event as a short constant string."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def _add_call(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    request_id = current().request_id
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def _constant(name: str, value: str) -> structlog.typing.Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault(name, value)
        return event

    return add
