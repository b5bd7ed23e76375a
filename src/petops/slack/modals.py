"""Modals: an incident in detail, and the questions behind Reject and Wrong cause. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from petops.domain.change import Advice
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.incident import Incident
from petops.slack.blocks import approve_button, head, offer_text, row_text
from petops.slack.look import Look
from petops.slack.text import MODAL_TITLE, OPTION, VIEW_BLOCKS, Json, context, cut, plain, section

REJECTED: Final = "petops.rejected"
CORRECTED: Final = "petops.corrected"
DETAILED: Final = "petops.detailed"
BECAUSE: Final = "because"
MODE: Final = "mode"
OTHER: Final = "other"
_OFFERS: Final = 5
_RIVALS: Final = 10
_LONGEST_REASON: Final = 1000


@dataclass(frozen=True, slots=True)
class Opened:
    """What a modal is about, kept in it by Slack: which incident, change, and message."""

    incident: str
    digest: str = ""
    channel: str = ""
    message: str = ""

    def kept(self) -> str:
        """Return this as a view's private metadata."""
        return json.dumps(asdict(self), separators=(",", ":"))


def opened_from(text: object) -> Opened | None:
    """Return what a view's private metadata says; None where it is not ours."""
    try:
        found: Any = json.loads(str(text))
        return Opened(**{str(key): str(each) for key, each in found.items()})
    except (ValueError, TypeError, AttributeError):
        return None


def details(incident: Incident, opened: Opened, look: Look) -> Json:
    """Return everything that speaks for and against, and every change, each with its button."""
    blocks = head(incident, look)
    for number, offer in enumerate(incident.on_offer[:_OFFERS]):
        if isinstance(offer.change, Advice):
            blocks.append(section(f"*Advice*: {look.writer.said(offer.change.text, 1500)}"))
            continue
        against = [f"{one.name}: {one.why}" for one in offer.guards if one.why]
        inverse = offer.inverse.summary if offer.inverse else "none: pods are replaced"
        told = [f"digest {look.writer.code(offer.digest)}", f"inverse: {inverse}", *against]
        blocks += [
            section(f"{number + 1}. {offer_text(offer, look)}"),
            section(look.writer.fence(offer.dry_run.diff, 2000) or "_no diff_"),
            context(
                *(one if number == 0 else look.writer.said(one) for number, one in enumerate(told))
            ),
            {
                "type": "actions",
                "block_id": f"petops.offer.{number}",
                "elements": [approve_button(incident, offer)],
            },
        ]
    if incident.diagnosis is not None:
        findings = [one for one in (incident.diagnosis.cause, *incident.diagnosis.rivals) if one]
        for finding in findings[: _RIVALS + 1]:
            blocks += _ledger(finding, look)
        gaps = [f"{one.step}: {one.why}" for one in incident.diagnosis.gaps]
        if gaps:
            blocks.append(section(f"*Not measured*\n{look.writer.said('; '.join(gaps), 1500)}"))
    return {
        "type": "modal",
        "callback_id": DETAILED,
        "private_metadata": opened.kept(),
        "title": plain(cut(incident.id, MODAL_TITLE)),
        "close": plain("Close"),
        "blocks": blocks[:VIEW_BLOCKS],
    }


def _ledger(finding: Finding, look: Look) -> list[Json]:
    write, refuted = look.writer, finding.verdict is Verdict.REFUTED
    head = f"*{write.said(finding.mode, 80)}* {finding.verdict}, {finding.confidence:.0%}"
    if refuted or not finding.rows:
        return [section(f"{head}: {write.said(finding.because)}")]
    rows = [row_text(one, look) for one in finding.rows]
    text = head
    for one in rows:
        if len(text) + len(one) > 2900:
            break
        text += f"\n{one}"
    return [section(text)]


def reject(opened: Opened) -> Json:
    """Return the question why not."""
    return _asking(REJECTED, ("Reject the change", "Reject"), opened, [_because("Why not?")])


def correct(opened: Opened, modes: Sequence[str]) -> Json:
    """Return the question what it really was."""
    options = [{"text": plain(cut(one, OPTION)), "value": one} for one in (*modes[:97], "nothing")]
    options.append({"text": plain("something else"), "value": OTHER})
    chosen: Json = {
        "type": "input",
        "block_id": MODE,
        "label": plain("What was it really?"),
        "element": {
            "type": "static_select",
            "action_id": MODE,
            "placeholder": plain("Choose"),
            "options": options,
        },
    }
    asked = [chosen, _because("In your words: what is it called, how did you see it?")]
    return _asking(CORRECTED, ("Wrong cause", "Record"), opened, asked)


def _because(label: str) -> Json:
    return {
        "type": "input",
        "block_id": BECAUSE,
        "label": plain(label),
        "element": {
            "type": "plain_text_input",
            "action_id": BECAUSE,
            "multiline": True,
            "min_length": 3,
            "max_length": _LONGEST_REASON,
        },
    }


def _asking(callback: str, words: tuple[str, str], opened: Opened, asked: list[Json]) -> Json:
    title, submit = words
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": opened.kept(),
        "title": plain(cut(title, MODAL_TITLE)),
        "submit": plain(submit),
        "close": plain("Cancel"),
        "blocks": [context(f"`{opened.incident}`"), *asked],
    }
