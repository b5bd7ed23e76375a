"""What stands in an incident's thread: everything that its card has no room for. Pure.

The thread tells the incident's entries in order. A note tells all that were not told yet, so that
nothing is told twice, and what Slack missed comes as one note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

from petops.domain import events as ev
from petops.domain.diagnosis import Diagnosis, Verdict
from petops.domain.events import Entry
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.domain.stages import stages
from petops.slack.blocks import Message, row_text
from petops.slack.look import Look
from petops.slack.text import SECTION, context, cut, date, section, units

SILENT: Final = (ev.IncidentOpened, ev.Mirrored)
"""Entries that the thread does not tell: the card is the one, this is about the other."""

HELD: Final = (
    ev.InvestigationStarted,
    ev.InvestigationWidened,
    ev.RunbookFound,
    ev.StepAnswered,
    ev.StepUnanswered,
    ev.Diagnosed,
    ev.AlarmJoined,
    ev.ActIntended,
    ev.RelapseWatchStarted,
    *SILENT,
)
"""Entries that wait for the one that they lead to, so that a round of questions is one note."""

_STEPS: Final = (ev.StepAnswered, ev.StepUnanswered)
_SECTIONS: Final = 4
_LONGEST_LINE: Final = 500
_STEPS_ROOM: Final = 2800
_MINUTE: Final = 60


def told_until(incident: Incident, told: int) -> int:
    """Return the number up to which a note is due, `told` if none is."""
    news = list(takewhile(lambda one: one.number > told, reversed(incident.history)))[::-1]
    loud = [one.number for one in news if not isinstance(one.event, HELD)]
    if not loud:
        return told
    if incident.phase in {Phase.OPEN, Phase.INVESTIGATING, Phase.DIAGNOSED}:
        return loud[-1]
    return news[-1].number


def note(incident: Incident, told: int, until: int, look: Look, mention: str = "") -> Message:
    """Return the note that tells the entries after `told`, up to `until`."""
    news = [one for one in incident.history if told < one.number <= until]
    lines = [*_lines(news, look), *_summary(news, incident)]
    blocks = [section(text) for text in _packed(lines)]
    left_out = len(blocks) - _SECTIONS
    if left_out > 0:
        shown = f"Earlier entries are left out: `/petops show {incident.id}` has them all."
        blocks = [context(shown), *blocks[left_out:]]
    first = look.writer.said(_headline(news, look), 250)
    if mention:
        blocks.insert(0, section(mention))
    return Message(
        text=f"{mention} {first}".strip() or incident.id,
        blocks=tuple(blocks) or (section(first or incident.id),),
    )


def _headline(news: Sequence[Entry], look: Look) -> str:
    loud = [one for one in news if not isinstance(one.event, HELD)]
    told = look.tell(loud[-1].event) if loud else ()
    return told[0].text if told else ""


def _lines(news: Sequence[Entry], look: Look) -> Iterator[str]:
    """Return each entry as lines of mrkdwn; the answers of one round become one block of code."""
    write, steps = look.writer, list[str]()
    for one in news:
        told = () if isinstance(one.event, SILENT) else look.tell(one.event)
        if not told:
            continue
        if isinstance(one.event, _STEPS):
            steps.append(told[0].text)
            continue
        if steps:
            yield write.fence(steps, _STEPS_ROOM)
            steps = []
        yield f"{date(one.event.at)}  *{write.said(told[0].text, _LONGEST_LINE)}*"
        if isinstance(one.event, ev.Diagnosed):
            yield from _ledger(one.event.diagnosis, look)
    if steps:
        yield write.fence(steps, _STEPS_ROOM)


def _ledger(diagnosis: Diagnosis, look: Look) -> Iterator[str]:
    """Return what speaks for the cause and against it; of what was ruled out, the names."""
    write, cause = look.writer, diagnosis.cause
    if cause is not None:
        yield write.said(cause.because, _LONGEST_LINE)
        yield from (row_text(one, look) for one in cause.rows)
    ruled_out = [one.mode for one in diagnosis.rivals if one.verdict is Verdict.REFUTED]
    for one in diagnosis.rivals:
        if one.verdict is not Verdict.REFUTED:
            yield f"•  perhaps {write.said(f'{one.mode}: {one.because}', _LONGEST_LINE)}"
    if ruled_out:
        yield f"•  ruled out: {write.said(', '.join(ruled_out), _LONGEST_LINE)}"
    for other in diagnosis.also_broken:
        yield f"•  also broken: {write.said(f'{other.mode}: {other.because}', _LONGEST_LINE)}"
    for gap in diagnosis.gaps:
        yield f"•  not known: {write.said(f'{gap.step}, {gap.why}', _LONGEST_LINE)}"


def _summary(news: Sequence[Entry], incident: Incident) -> Iterator[str]:
    """Return the time to recovery by stage, where that is what has just become known."""
    if not any(isinstance(one.event, ev.Recovered) for one in news):
        return
    found = stages(incident)
    named = (
        ("detected", found.detect_seconds),
        ("diagnosed", found.investigate_seconds),
        ("approved", found.approval_seconds),
        ("changed", found.act_seconds),
        ("recovered", found.recover_seconds),
    )
    parts = [f"{name} in {span(seconds)}" for name, seconds in named if seconds is not None]
    if found.mttr_seconds is not None:
        whole = span(found.mttr_seconds)
        yield f":white_check_mark: *Time to recovery {whole}*: {', '.join(parts)}"


def span(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _packed(lines: Sequence[str]) -> list[str]:
    """Return the lines in texts that fit a section each."""
    texts: list[str] = []
    now = ""
    for line in lines:
        piece = cut(line, SECTION)
        wider = f"{now}\n{piece}" if now else piece
        if units(wider) > SECTION:
            texts.append(now)
            now = piece
        else:
            now = wider
    return [*texts, now] if now else texts
