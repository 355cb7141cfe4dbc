"""What the services do when they are called by hand, as `python -m <package> <word>`, beside serving.

`gatepost migrate`, `backup` and `restore` call this: only a service knows its migrations, and what its rows mean.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from gatepost_cli import databases, private_json
from gatepost_cli.data_dir import DataDir
from gatepost_cli.errors import CommandFailed
from gatepost_cli.supervisor.plan import MEDIA, Kind

TAIL_LINES = 5
MASTER_KEYS = ("GATEPOST_MASTER_KEY", "GATEPOST_MASTER_KEY_FILE")
# Settings without which a service does not read its others; nothing by hand uses them.
UNUSED = {"GATEPOST_SERVICE_KEYS": "x" * 32, "GATEPOST_VALKEY_URL": "redis://unused"}
NO_MASTER_KEY = {"GATEPOST_MASTER_KEY": "x" * 32}


def environment(kind: Kind, dsn: str, where: DataDir | None = None) -> dict[str, str]:
    """Return the environment of a service for a database; its other settings are ours, else those of a data folder."""
    own = dict(os.environ)
    known = UNUSED | NO_MASTER_KEY
    if where is not None:
        known |= {MEDIA: str(where.media)}
        kept = private_json.read(where.secrets)
        if kept is not None and "master_key" in kept:
            known["GATEPOST_MASTER_KEY"] = kept["master_key"]
    if any(own.get(name) for name in MASTER_KEYS):
        del known["GATEPOST_MASTER_KEY"]
    return known | own | {databases.variable(kind.word): dsn}


def run(
    kind: Kind, words: Sequence[str], env: Mapping[str, str], stdin: int | IO[bytes] = subprocess.DEVNULL
) -> list[dict[str, Any]]:
    """Run `python -m <package> <words>`; return the JSON documents it printed, a line each.

    Raises:
        CommandFailed: it ended with another status than 0; with the last of what it printed.
    """
    done = subprocess.run(_argv(kind, words), env=dict(env), stdin=stdin, capture_output=True, check=False)
    _checked(kind, words, done.returncode, done.stdout, done.stderr)
    return documents(done.stdout)


@contextmanager
def giving(kind: Kind, words: Sequence[str], env: Mapping[str, str], stdin: int | IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield what it prints, to be read to its end.

    Raises:
        CommandFailed: it ended with another status than 0.
    """
    with subprocess.Popen(_argv(kind, words), env=dict(env), stdin=stdin, stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise AssertionError("started with PIPE")
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        process.stdout.read()
        _checked(kind, words, process.wait())


@contextmanager
def taking(kind: Kind, words: Sequence[str], env: Mapping[str, str], answer: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield what it reads, to be written; what it prints goes to `answer`.

    Raises:
        CommandFailed: it ended with another status than 0.
    """
    with subprocess.Popen(_argv(kind, words), env=dict(env), stdin=subprocess.PIPE, stdout=answer) as process:
        if process.stdin is None:
            raise AssertionError("started with PIPE")
        try:
            with suppress(BrokenPipeError), process.stdin:  # ended before it had read everything: its status says why
                yield process.stdin
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        answer.seek(0)
        _checked(kind, words, code, answer.read())


def _argv(kind: Kind, words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", kind.module, *words]


def _checked(kind: Kind, words: Sequence[str], code: int, output: bytes = b"", errors: bytes = b"") -> None:
    if code != 0:
        said = [*output.decode(errors="replace").splitlines(), *errors.decode(errors="replace").splitlines()]
        reasons = [each["error"] for each in documents(output) if "error" in each]
        what = f"`python -m {kind.module} {' '.join(words)}` failed"
        raise CommandFailed(f"{what}: {reasons[-1]}" if reasons else what, said[-TAIL_LINES:])


def documents(output: bytes) -> list[dict[str, Any]]:
    """Return the JSON documents among lines, whatever else is."""
    found: list[Any] = []
    for line in output.splitlines():
        with suppress(ValueError, RecursionError):
            found.append(json.loads(line))
    return [document for document in found if isinstance(document, dict)]
