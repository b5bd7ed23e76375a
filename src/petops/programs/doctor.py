"""Looks at everything that petops leans on, all at once, and says what to do about it.

It never hangs and never fails: whatever does not answer in time is a line that says so.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from petops.config import Settings
from petops.errors import PetopsError
from petops.programs import (
    doctor_alarms,
    doctor_aws,
    doctor_clock,
    doctor_cluster,
    doctor_metrics,
    doctor_own,
    doctor_slack,
    doctor_test_alarm,
)
from petops.programs.attach import settings_here
from petops.programs.doctor_check import Check, Section, Trouble, Verdict, broken, ok, warning
from petops.programs.printing import Printer, print_json
from petops.remote import socket_is_alive
from petops.secrets_access import with_secrets

ENGINE: Final = "engine"
_SECONDS: Final = 20.0
_STYLES: Final = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.BROKEN: "bold red",
    Verdict.UNKNOWN: "dim",
    Verdict.OFF: "dim",
}


async def examine(settings: Settings, *, test_alarm: bool = False) -> tuple[Check, ...]:
    """Return every check, in an order that stays the same. Nothing is raised."""
    given = await _with_secrets(settings)
    sections = [*_sections(settings, given)]
    if test_alarm:
        names = (doctor_test_alarm.NAME,)
        look = partial(doctor_test_alarm.look, given)
        sections.append(Section(names=names, look=look, trouble=Trouble.NO_EVENTS))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_looked(one, _seconds(one))) for one in sections]
    return tuple(check for task in tasks for check in task.result())


async def _with_secrets(settings: Settings) -> Settings:
    """Return the settings with their secrets; those that cannot be had are a check of their own."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await with_secrets(settings, lambda _: None)
    except TimeoutError:
        return settings


def _sections(settings: Settings, given: Settings) -> Iterable[Section]:
    """Yield what is looked at; `given` has the secrets that `settings` only name."""
    yield Section(names=(ENGINE,), look=partial(_engine, given), trouble=Trouble.NO_EVENTS)
    yield Section(names=doctor_cluster.NAMES, look=partial(doctor_cluster.look, given))
    yield Section(
        names=doctor_metrics.NAMES,
        look=partial(doctor_metrics.look, given),
        trouble=Trouble.MCP_SILENT,
    )
    yield Section(names=doctor_aws.NAMES, look=partial(doctor_aws.look, given))
    yield Section(
        names=doctor_alarms.NAMES,
        look=partial(doctor_alarms.look, given),
        trouble=Trouble.NO_EVENTS,
    )
    yield Section(
        names=doctor_slack.NAMES,
        look=partial(doctor_slack.look, given, settings),
        trouble=Trouble.SLACK_SILENT,
    )
    secrets = partial(doctor_aws.look_at_secrets, settings)
    yield Section(names=(doctor_aws.SECRETS,), look=secrets)
    yield Section(names=doctor_own.NAMES, look=partial(doctor_own.look, given))
    yield Section(names=doctor_clock.NAMES, look=partial(doctor_clock.look, given))


def _seconds(section: Section) -> float:
    is_test = section.names == (doctor_test_alarm.NAME,)
    return doctor_test_alarm.ARRIVES_SECONDS + _SECONDS if is_test else _SECONDS


async def _looked(section: Section, seconds: float) -> list[Check]:
    """Return the section's checks; what did not answer in time is broken, each by its name."""
    try:
        async with asyncio.timeout(seconds):
            found = await section.look()
    except TimeoutError:
        found = [broken(one, f"no answer within {seconds:.0f} s") for one in section.names]
    except PetopsError as exc:
        found = [broken(one, exc.message, exc.hint or "") for one in section.names]
    listed = sorted(found, key=lambda one: section.names.index(one.name))
    return [replace(one, trouble=section.trouble) for one in listed]


async def _engine(settings: Settings) -> Sequence[Check]:
    """Say whether an engine is at work here, or could be."""
    path = settings.journal_path
    if socket_is_alive(settings.socket_path):
        return (ok(ENGINE, f"is at work on {path}"),)
    folder = next((one for one in (path.parent, *path.parents) if one.exists()), Path("/"))
    if not folder.is_dir() or not _may_write(folder):
        fix = "set journal.path, or let petops write there"
        return (broken(ENGINE, f"the journal's folder {path.parent} cannot be written to", fix),)
    fix = "petops daemon starts one; in a cluster, ask there: kubectl logs deploy/devops-agent"
    return (warning(ENGINE, f"none is at work here, on {path}: alarms are not read", fix),)


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


async def run(config: Path | None, *, test_alarm: bool, as_json: bool) -> int:
    """Print what there is to say; return the exit status."""
    checks = await examine(settings_here(config).settings, test_alarm=test_alarm)
    if as_json:
        print_json(as_document(checks))
    else:
        _tell(checks)
    return 1 if any(one.verdict is Verdict.BROKEN for one in checks) else 0


def as_document(checks: Sequence[Check]) -> dict[str, Any]:
    """Return the checks as JSON has them."""
    return {
        "healthy": all(one.verdict is not Verdict.BROKEN for one in checks),
        "checks": [
            {
                "name": one.name,
                "verdict": str(one.verdict),
                "told": one.told,
                "fix": one.fix or None,
                "trouble": str(one.trouble) or None,
            }
            for one in checks
        ],
        "troubles": troubles(checks),
    }


def troubles(checks: Sequence[Check]) -> dict[str, list[str]]:
    """Return what explains each of the troubles that people come with."""
    return {
        str(trouble): [
            f"{one.name}: {one.told}"
            for one in checks
            if one.trouble is trouble and one.verdict is Verdict.BROKEN
        ]
        for trouble in Trouble
        if trouble
    }


def _tell(checks: Sequence[Check]) -> None:
    printer = Printer()
    width = max(len(one.name) for one in checks)
    for one in checks:
        fix = (
            f" -> {one.fix}" if one.fix and one.verdict in {Verdict.BROKEN, Verdict.WARNING} else ""
        )
        line = f"{one.verdict:<8} {one.name:<{width}}  {one.told}{fix}"
        printer.say(line, _STYLES[one.verdict])
    for trouble, reasons in troubles(checks).items():
        if reasons:
            printer.say(f"{trouble}? {'; '.join(reasons)}", "bold")
