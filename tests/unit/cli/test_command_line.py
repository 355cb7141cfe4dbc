"""The command line itself: its subcommands, its exit statuses, its one JSON document."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost_cli.main import SUBCOMMANDS


def gatepost(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatepost_cli", *arguments], capture_output=True, check=False, text=True, timeout=60
    )


def test_help_lists_every_subcommand() -> None:
    done = gatepost("--help")
    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in SUBCOMMANDS)


@pytest.mark.parametrize("arguments", [("proyect",), ("project", "create"), ("user", "role", "only@one"), ("up", "-x")])
def test_a_mistake_on_the_command_line_exits_with_2(arguments: tuple[str, ...]) -> None:
    done = gatepost(*arguments, "--json")
    assert (done.returncode, set(json.loads(done.stdout))) == (2, {"error"})


def test_a_command_without_a_stack_says_how_to_start_one(tmp_path: Path) -> None:
    done = gatepost("project", "list", "--json", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "start one with `gatepost up`" in json.loads(done.stdout)["error"]


def test_up_imports_no_grpc() -> None:
    script = "import sys; from gatepost_cli.main import app; app(['up', '--help'], standalone_mode=False); "
    script += "sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
