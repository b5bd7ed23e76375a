"""An incident again from its record: today's failure modes on the answers of then. Asks nobody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from petops.domain.change import Advice
from petops.domain.diagnosis import Diagnosis
from petops.domain.events import Entry
from petops.domain.incident import Board, Incident
from petops.engine.concluding import concluded
from petops.engine.rounds import THERE, first_round, located, second_round
from petops.engine.surroundings import case_of
from petops.errors import PetopsError, UsageError
from petops.playbooks import MODES
from petops.playbooks.base import Evidence, FailureMode
from petops.programs.printing import Printer, print_json
from petops.programs.telling import diagnosed
from petops.wire import entry_from_json, entry_to_json
from petops.wire.report import subject_as_json

ENTRIES: Final = "entries.jsonl"
EXPECTED: Final = "expected.json"
NOTHING: Final = "nothing"
"""What a person says of an incident in which nothing was broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What was concluded then, and what the same answers lead to now."""

    then: Diagnosis
    now: Diagnosis

    @property
    def is_same(self) -> bool:
        """Both name the same cause of the same object."""
        then, now = self.then.cause, self.now.cause
        if then is None or now is None:
            return then is now
        return (then.mode, then.subject) == (now.mode, now.subject)


def replayed(incident: Incident, known: Iterable[FailureMode] = MODES.values()) -> Replayed:
    """Conclude again from the journaled answers of the incident's latest investigation."""
    if incident.diagnosis is None or incident.window is None:
        raise PetopsError(f"{incident.id} was not investigated to its end: nothing to replay")
    case, modes = case_of(incident, incident.window), tuple(known)
    here = Evidence(incident.answers, incident.unknowns)
    first = first_round(case, modes)
    meant = located(first, here, modes)
    first = meant[0] if meant is not None else first
    more = second_round(first, here, modes)
    if more is None:
        return Replayed(then=incident.diagnosis, now=concluded(first, here))
    there = Evidence(_there(incident.answers), _there(incident.unknowns))
    return Replayed(then=incident.diagnosis, now=concluded(first, here, more[0], there))


def _there(found: Sequence[Any]) -> list[Any]:
    """Return the answers about the second place, under their steps' own names."""
    return [
        replace(one, step=one.step.removeprefix(THERE))
        for one in found
        if one.step.startswith(THERE)
    ]


def print_replay(incident: Incident, known: Iterable[FailureMode], *, as_json: bool) -> int:
    """Print what it leads to now and then; return 1 where that is not the same."""
    found = replayed(incident, known)
    if as_json:
        print_json(
            {
                "incident": incident.id,
                "same": found.is_same,
                "then": _verdict(found.then),
                "now": _verdict(found.now),
            }
        )
        return 0 if found.is_same else 1
    printer = Printer()
    printer.say(f"{incident.id}: {len(incident.answers)} recorded answers, concluded again", "bold")
    printer.lines(diagnosed(found.now))
    if found.is_same:
        printer.say("the same as then", "bold green")
        return 0
    printer.say("then it was:", "bold yellow")
    printer.lines(diagnosed(found.then))
    return 1


def _verdict(found: Diagnosis) -> dict[str, Any]:
    cause = found.cause
    return {
        "mode": cause.mode if cause else None,
        "subject": subject_as_json(cause.subject) if cause else None,
        "confidence": cause.confidence if cause else None,
        "because": cause.because if cause else found.because,
    }


def export_case(incident: Incident, folder: Path) -> None:
    """Write the incident as a case: its entries, and the verdict that it had."""
    expected = _expected(incident, replayed(incident).then)
    lines = "".join(f"{entry_to_json(one)}\n" for one in incident.history)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ENTRIES).write_text(lines, encoding="utf-8")
        text = json.dumps(expected, indent=2, ensure_ascii=False)
        (folder / EXPECTED).write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise PetopsError(f"{folder} cannot be written: {exc.strerror}") from exc


def _expected(incident: Incident, then: Diagnosis) -> dict[str, Any]:
    """Return the true verdict: what a person said that it was, else the one that stood."""
    said = incident.corrected
    if said is not None:
        about = subject_as_json(said.subject)
        mode = None if said.mode == NOTHING else said.mode
        return {"mode": mode, **({"subject": about} if about else {})}
    verdict = _verdict(then)
    expected: dict[str, Any] = {"mode": verdict["mode"]}
    if verdict["subject"] is not None:
        expected["subject"] = verdict["subject"]
    if offered := [one for one in incident.proposals if not isinstance(one.change, Advice)]:
        expected["remedy"] = offered[0].remedy
    return expected


def incident_of(folder: Path, known: Iterable[FailureMode] = MODES.values()) -> Incident:
    """Return the incident of an exported case, with what its answers lead to now."""
    file = folder / ENTRIES
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        entries = [entry_from_json(line) for line in lines]
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{file} cannot be read: {exc}") from exc
    incident = _folded(entries)
    if incident is None:
        raise UsageError(f"{file} has no incident", hint="`petops incidents export ID --case DIR`")
    found = replayed(incident, known)
    kept = incident.proposals if found.is_same else ()
    return replace(incident, diagnosis=found.now, proposals=kept)


def _folded(entries: Sequence[Entry]) -> Incident | None:
    board = Board().after(*entries)
    return next(iter(board.incidents.values()), None)
