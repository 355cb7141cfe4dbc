"""Logs as a process writes them: one JSON object a line, the same fields whichever way a line goes."""

import json
import subprocess
import sys
from typing import Any

import pytest

_PROGRAM = """
import asyncio, logging
from runtime import logs
from runtime.context import CallContext, bound

class Line(logs.Line, kw_only=True):
    event: str = "counted"
    path: str

async def main():
    with bound(CallContext(request_id="r-1")):
        BODY

logs.configure("toy", "LEVEL")
asyncio.run(main())
"""


def written(body: str, level: str = "info") -> list[dict[str, Any]]:
    program = _PROGRAM.replace("LEVEL", level).replace("BODY", body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(line) == sorted(line) for line in lines)
    return lines


def test_a_line_has_its_facts_and_those_of_the_call() -> None:
    (line,) = written('logs.get_logger().info("hello", number=1)')
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "hello", "level": "info", "number": 1, "request_id": "r-1", "service": "toy"}


def test_a_line_that_is_a_struct_has_the_same_fields() -> None:
    struct, ordinary = written('logs.line_writer()(Line(path="/x")); logs.get_logger().info("counted", path="/x")')
    assert len(struct.pop("timestamp")) == len(ordinary.pop("timestamp")) == len("2026-01-31T23:59:59.123456Z")
    assert struct == ordinary


@pytest.mark.parametrize("way", ['logs.line_writer()(Line(path="{}"))', 'logs.get_logger().info("x", path="{}")'])
def test_what_is_not_utf_8_breaks_no_line(way: str) -> None:
    assert written(way.format("/\\udcff"))[0]["path"] == "/\udcff"


def test_lines_come_in_their_order_and_none_is_lost_at_the_end() -> None:
    body = (
        "[logs.line_writer()(Line(path=str(n))) for n in range(3)]; "
        'logging.getLogger("other").warning("from %s", "elsewhere"); '
        'logs.get_logger().info("after"); logs.get_logger().info("last")'
    )
    lines = written(body)
    assert [line.get("path", line["event"]) for line in lines] == ["0", "1", "2", "from elsewhere", "after", "last"]
    assert lines[3]["level"] == "warning"


def test_a_crash_is_told_with_its_traceback_behind_what_waited() -> None:
    body = """
        logs.get_logger().info("one"); logs.get_logger().info("two")
        try: 1 / 0
        except ZeroDivisionError as exc: logs.get_logger().error("three", exc_info=exc)"""
    lines = written(body)
    assert [line["event"] for line in lines] == ["one", "two", "three"]
    assert "ZeroDivisionError" in lines[2]["exception"]


def test_above_info_no_line_of_that_level_is_written() -> None:
    body = 'logs.line_writer()(Line(path="/x")); logs.get_logger().info("no"); logs.get_logger().warning("yes")'
    assert [line["event"] for line in written(body, "warning")] == ["yes"]


def test_a_process_of_several_services_says_for_each_line_whose_it_is() -> None:
    body = (
        'logs.configure("first", "info"); logs.get_logger().info("x"); logs.line_writer()(Line(path="/"))\n'
        "    async def other():\n"
        '        logs.configure("other", "info"); logs.get_logger().info("x"); logs.line_writer()(Line(path="/"))\n'
        "    await asyncio.create_task(other())\n"
        '    logs.get_logger().info("x")'
    )
    lines = written(body)
    assert [line["service"] for line in lines] == ["first", "first", "other", "other", "first"]
