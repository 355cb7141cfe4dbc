"""`gatepost doctor`: what is wrong on this machine, and what to do about it."""

import asyncio
import os
from pathlib import Path

import typer

from gatepost_cli import console, data_dir, databases, services, state
from gatepost_cli.commands.options import DataDirOption, JsonOption
from gatepost_cli.diagnosis import consistency, machine, storage
from gatepost_cli.diagnosis import services as running_services
from gatepost_cli.diagnosis.finding import Finding, Status, fail, warn
from gatepost_cli.errors import CommandFailed

MARKS = {Status.OK: "ok", Status.WARN: "WARN", Status.FAIL: "FAIL"}


def doctor(*, folder: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Look at everything that Gatepost needs; exit status 1 when something keeps it from working."""
    findings = asyncio.run(_examine(folder))
    failed = any(finding.status is Status.FAIL for finding in findings)
    if as_json:
        checks = [
            {"name": each.name, "status": each.status.value, "detail": each.detail, "advice": each.advice}
            for each in findings
        ]
        console.document({"ok": not failed, "checks": checks})
    else:
        for each in findings:
            console.output(f"{MARKS[each.status]:<5} {each.name}: {each.detail}")
            if each.advice:
                console.output(f"      -> {each.advice}")
    raise typer.Exit(1 if failed else 0)


async def _examine(folder: Path | None) -> list[Finding]:
    where = data_dir.locate(folder)
    written = state.read(where)
    running = written if written is not None and written.supervisor_runs() else None
    own = databases.external(os.environ)
    findings = list(machine.look(where, running=running is not None, embedded=own is None))
    if running is not None:
        findings += await storage.look(running.dsns, running.valkey_url)
        if all(finding.status is not Status.FAIL for finding in findings):
            findings.append(await consistency.look(running.dsns))
    else:
        findings += await storage.look(own or {}, os.environ.get("GATEPOST_VALKEY_URL"))
    try:
        found = services.locate(folder)
    except CommandFailed as failure:
        say = warn if written is None else fail  # what was started and not stopped should be running
        findings.append(say("stack", failure.message, "`gatepost up` starts one"))
        return findings
    return findings + await running_services.look(found, running.url if running else None)
