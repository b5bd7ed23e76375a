"""A diagnosis as rows: the verdict, what spoke for and against it, its rivals, the questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text

from petops.domain import events as ev
from petops.domain.diagnosis import Finding, Row
from petops.domain.evidence import Answer, Asked, Unknown
from petops.domain.incident import Incident
from petops.tui.drawn import Heading, Paragraph, labelled
from petops.tui.given import Summarise
from petops.tui.palette import Palette
from petops.tui.plain import fitted, plain, wrapped
from petops.tui.times import Times, duration
from petops.tui.wording import CONFIRMED, LIKELY, VERDICTS, WEIGHS, confidence

_LEAD: Final = 10
_NARROW: Final = 60


def _lead(width: int) -> int:
    return _LEAD if width >= _NARROW else 2


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What is believed, and how firmly."""

    key: str
    mode: str
    firmly: float | None

    is_choosable = False

    def tall(self, width: int) -> int:
        del width
        return 1

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        del width
        text = Text.assemble((plain(self.mode), paint.strong + paint.accent))
        if self.firmly is not None:
            text.append("  ")
            text.append_text(confidence(self.firmly, paint, 10))
            text.append(f"  {_firmness(self.firmly)}", paint.dim)
        return (text,)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        del width, paint
        return ()


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger; Enter shows what would have refuted it, the query and the window."""

    key: str
    row: Row
    times: Times

    is_choosable = True

    def tall(self, width: int) -> int:
        return len(self._stated(width)) + len(self._seen(width))

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        wording = WEIGHS[self.row.weighs]
        first, *rest = self._stated(width)
        lead = _lead(width)
        words = f"{wording.sign} {wording.words}"[: lead - 1].ljust(lead)
        head = Text(words, paint.tone(wording.tone))
        head.append(first, paint.text)
        lines = [head, *(Text(" " * lead + one, paint.text) for one in rest)]
        return [*lines, *(Text(" " * lead + one, paint.dim) for one in self._seen(width))]

    def _stated(self, width: int) -> list[str]:
        return wrapped(self.row.statement, width - _lead(width))

    def _seen(self, width: int) -> list[str]:
        return wrapped(self.row.seen, width - _lead(width))

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        lines = labelled("against it", self.row.refuted_if or "-", width, paint)
        lines += labelled("step", self.row.step, width, paint)
        return [*lines, *questions(self.row.asked, self.times, width, paint), Text()]


@dataclass(frozen=True, slots=True)
class StepRow:
    """One question as it runs: asked, answered, or without an answer."""

    key: str
    question: str
    result: Answer | Unknown | None
    waited: int
    says: str
    times: Times

    is_choosable = True

    def tall(self, width: int) -> int:
        del width
        return 2

    def lines(self, width: int, paint: Palette) -> Sequence[Text]:
        match self.result:
            case None:
                sign, words, tone, took = "◌", "asked", "accent", f"{self.waited} s"
                says = "waiting for the answer"
            case Answer(seconds=seconds):
                sign, words, tone, took = "●", "answered", "good", duration(seconds)
                says = self.says
            case Unknown(why=why, seconds=seconds):
                sign, words, tone, took = "?", "unknown", "warn", duration(seconds)
                says = why
        head = Text(f"{sign} {words:<9}", paint.tone(tone))
        head.append(f"{took:>7}  ", paint.text)
        head.append(fitted(self.question, max(1, width - 20)), paint.text)
        return head, Text(" " * 4 + fitted(says, max(1, width - 4)), paint.dim)

    def detail(self, width: int, paint: Palette) -> Sequence[Text]:
        lines = labelled("question", self.question, width, paint)
        asked = self.result.asked if self.result else ()
        if self.says or isinstance(self.result, Unknown):
            says = self.result.why if isinstance(self.result, Unknown) else self.says
            lines += labelled("answer", says, width, paint)
        return [*lines, *questions(asked, self.times, width, paint), Text()]


def questions(asked: Sequence[Asked], times: Times, width: int, paint: Palette) -> list[Text]:
    """Return each query as it was sent, and the window that it was about."""
    lines: list[Text] = []
    for one in asked:
        lines += labelled("source", one.source, width, paint)
        for index, part in enumerate(wrapped(one.query, max(8, width - 16))):
            lead = f"    {'query' if not index else '':<11} "
            lines.append(Text.assemble((lead, paint.faint), (part, paint.info)))
        if one.window:
            start, end = one.window.start, one.window.end
            span = f"{times.clock(start)} to {times.moment(end)} ({duration(one.window.seconds)})"
            lines += labelled("window", span, width, paint)
    if not asked:
        lines += labelled("query", "none: it follows from other answers", width, paint)
    return lines


def _firmness(value: float) -> str:
    if value >= CONFIRMED:
        return "confirmed"
    return "likely" if value >= LIKELY else "possible"


DiagnosisRow = Heading | Paragraph | VerdictRow | LedgerRow | StepRow


def diagnosis_rows(
    incident: Incident, now: datetime, times: Times, summarise: Summarise
) -> list[DiagnosisRow]:
    """Return all that is known of the cause: live questions first while they run."""
    rows: list[DiagnosisRow] = []
    diagnosis = incident.diagnosis
    steps = list(_steps(incident, now, times, summarise))
    if diagnosis is None:
        rows.append(Paragraph("alarm", _alarm(incident), "dim"))
        rows.append(Heading("h-steps", _progress(incident)))
        return [*rows, *steps]
    if diagnosis.cause is None:
        rows.append(VerdictRow("verdict", "no cause found", None))
        rows.append(Paragraph("because", diagnosis.because or incident.ended_because, "warn"))
    else:
        rows.append(VerdictRow("verdict", diagnosis.cause.mode, diagnosis.cause.confidence))
        rows.append(Paragraph("because", diagnosis.cause.because))
        rows += _finding(diagnosis.cause, "cause", times)
        if diagnosis.cause.advice:
            rows.append(Paragraph("advice", f"What to do: {diagnosis.cause.advice}", "accent"))
    rows += _corrected(incident, times)
    for number, rival in enumerate(diagnosis.rivals):
        wording = VERDICTS[rival.verdict]
        words = f"{wording.sign} {wording.words}: {rival.mode}"
        rows.append(Heading(f"h-rival-{number}", words))
        rows.append(Paragraph(f"rival-{number}", rival.because, "dim"))
        rows += _finding(rival, f"rival-{number}", times)
    for number, other in enumerate(diagnosis.also_broken):
        where = f", {other.subject}" if other.subject else ""
        rows.append(Heading(f"h-also-{number}", f"! also broken: {other.mode}{where}"))
        rows.append(Paragraph(f"also-{number}", other.because, "warn"))
        rows += _finding(other, f"also-{number}", times)
    rows.append(Heading("h-steps", _progress(incident)))
    rows.append(Paragraph("alarm", _alarm(incident), "dim"))
    return [*rows, *steps]


def _corrected(incident: Incident, times: Times) -> Iterator[Paragraph]:
    """Yield what a person said that it really was."""
    said = incident.corrected
    if said is not None:
        where = f" on {said.subject}" if said.subject else ""
        why = f": {said.because}" if said.because else ""
        at = times.clock(said.at)
        words = f"✎ {said.by.user} ({said.by.channel}, {at}) says it was {said.mode}{where}{why}"
        yield Paragraph("corrected", words, "accent")


def _finding(finding: Finding, lead: str, times: Times) -> list[LedgerRow]:
    return [LedgerRow(f"{lead}-{number}", row, times) for number, row in enumerate(finding.rows)]


def _progress(incident: Incident) -> str:
    known = len(incident.answers)
    text = f"questions: {known} of {len(incident.asked)} answered"
    return text + (f", {len(incident.unknowns)} unknown" if incident.unknowns else "")


def _alarm(incident: Incident) -> str:
    alarm = incident.alarm
    subject = str(alarm.subject) if alarm.subject else f"no object, {alarm.unmapped}"
    said = f" {alarm.text}" if alarm.text else ""
    return f"Alarm {alarm.name} ({alarm.source}) on {subject}. {incident.assessment.because}.{said}"


def _steps(
    incident: Incident, now: datetime, times: Times, summarise: Summarise
) -> Iterator[StepRow]:
    results: dict[str, Answer | Unknown] = {one.step: one for one in incident.answers}
    results |= {one.step: one for one in incident.unknowns}
    began = next(
        (
            one.event.at
            for one in reversed(incident.history)
            if isinstance(one.event, ev.InvestigationStarted)
        ),
        now,
    )
    waited = int(max(0.0, (now - began).total_seconds()))
    for name, question in incident.asked:
        result = results.get(name)
        says = summarise(result.fact) if isinstance(result, Answer) else ""
        yield StepRow(
            key=f"step-{name}",
            question=question,
            result=result,
            waited=0 if result else waited,
            says=says,
            times=times,
        )
