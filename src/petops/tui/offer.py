"""A proposal as lines: risk, diff, guards, inverse, what will be watched, until when it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from petops.domain import events as ev
from petops.domain.change import Advice, Proposal
from petops.domain.incident import Incident
from petops.domain.phases import Phase
from petops.tui.palette import Palette
from petops.tui.plain import fitted, plain, wrapped
from petops.tui.times import Times, countdown
from petops.tui.wording import RISKS

_DIFF: Final = {"+": "good", "-": "bad", "@": "info"}
_SOON_SECONDS: Final = 120


def expiry(proposal: Proposal, now: datetime, paint: Palette) -> Text:
    """Return how long the offer stands."""
    left = (proposal.expires_at - now).total_seconds()
    if left <= 0:
        return Text("expired", paint.bad)
    tone = "warn" if left < _SOON_SECONDS else "text"
    return Text(f"ends in {countdown(left)}", paint.tone(tone))


def head(proposal: Proposal, number: int, width: int, paint: Palette) -> Text:
    """Return one line for a list of offers."""
    risk = RISKS[proposal.risk]
    text = Text(f"{number}  ", paint.dim)
    if isinstance(proposal.change, Advice):
        text.append("advice  ", paint.info)
    else:
        text.append(f"{risk.sign} {risk.words}  ", paint.tone(risk.tone))
    text.append(plain(proposal.change.summary), paint.strong)
    text.truncate(max(1, width), overflow="ellipsis")
    return text


def whole(
    proposal: Proposal, now: datetime, width: int, paint: Palette, *, stands: bool
) -> list[Text]:
    """Return all that a person needs to decide; `stands` is whether it can still be decided on."""
    change = proposal.change
    lines = [Text(one, paint.strong) for one in wrapped(change.summary, width)]
    if isinstance(change, Advice):
        return [*lines, Text("Advice: this is for a person to do.", paint.dim)]
    risk = RISKS[proposal.risk]
    subject = change.subject
    facts: list[tuple[str, Text]] = [
        ("cluster", Text(plain(str(subject.cluster)), paint.text)),
        ("namespace", Text(plain(subject.namespace or "none"), paint.text)),
        ("target", Text(f"{subject.kind} {plain(subject.name)}", paint.accent)),
        ("risk", Text(f"{risk.sign} {risk.words}", paint.tone(risk.tone))),
        ("offer", expiry(proposal, now, paint) if stands else Text("decided", paint.dim)),
        ("digest", Text(proposal.digest[:19], paint.dim)),
    ]
    lines += [Text.assemble((f"{name:<10}", paint.dim), value) for name, value in facts]
    lines += [*_diff(proposal, width, paint), *_guards(proposal, width, paint)]
    back = proposal.inverse.summary if proposal.inverse else "none: the pods are replaced"
    lines += _section("takes it back", back, width, paint)
    lines += _section("will be watched", proposal.watched, width, paint)
    return lines


def _diff(proposal: Proposal, width: int, paint: Palette) -> list[Text]:
    run = proposal.dry_run
    how = "by the API server's dry run" if run.by_server else "computed here, not by the server"
    lines = [Text(), Text.assemble(("diff ", paint.heading), (how, paint.dim))]
    for note in (run.note, run.refused):
        lines += [Text(one, paint.warn) for one in (wrapped(note, width) if note else ())]
    for one in run.diff:
        lines.append(Text("  " + plain(one), paint.tone(_DIFF.get(one[:1], "dim"))))
    return lines


def _guards(proposal: Proposal, width: int, paint: Palette) -> list[Text]:
    content = sum(one.ok and one.known for one in proposal.guards)
    told = f"{content} of {len(proposal.guards)} let it pass"
    lines = [Text(), Text.assemble(("guards ", paint.heading), (told, paint.dim))]
    sure = [one for one in proposal.guards if one.ok and one.known]
    names = [plain(one.name.replace("-", " ")) for one in sure]
    for guard in proposal.guards:
        if guard not in sure:
            sign, tone = ("✗", "bad") if guard.known else ("?", "warn")
            words = f"{sign} {guard.name.replace('-', ' ')}: {guard.why}"
            lines += [Text(one, paint.tone(tone)) for one in wrapped(words, width)]
    lines += _columns([f"✓ {name}" for name in names], width, paint)
    return lines


def _columns(words: Sequence[str], width: int, paint: Palette) -> list[Text]:
    if not words:
        return []
    cells = max(len(one) for one in words) + 2
    per_line = max(1, width // cells)
    return [
        Text("".join(one.ljust(cells) for one in words[at : at + per_line]).rstrip(), paint.good)
        for at in range(0, len(words), per_line)
    ]


def _section(name: str, text: str, width: int, paint: Palette) -> list[Text]:
    return [
        Text(),
        Text(name, paint.heading),
        *(Text("  " + one, paint.text) for one in wrapped(text, width - 2)),
    ]


def decisions(  # noqa: C901, PLR0912 - one flat table of cases
    incident: Incident, times: Times, width: int, paint: Palette
) -> list[Text]:
    """Return who decided what, where, and what was turned down."""
    lines: list[Text] = []
    for entry in incident.history:
        match entry.event:
            case ev.RemedyApproved(by=by, at=at, digest=digest):
                words, tone = f"✓ approved by {by.user} ({by.channel}), {digest[7:15]}", "good"
            case ev.RemedyRejected(by=by, at=at, because=because):
                words, tone = f"✗ rejected by {by.user} ({by.channel}): {because}", "warn"
            case ev.ApprovalGiven(by=by, at=at, digest=digest):
                words = f"◐ approved by {by.user} ({by.channel}), {digest[7:15]}; one more has to"
                tone = "accent"
            case ev.BreakGlassUsed(by=by, at=at, because=because):
                words, tone = f"! {by.user} broke the glass, alone: {because}", "bad"
            case ev.ApprovalVoided(at=at, because=because):
                words, tone = f"· the approval is void: {because}", "warn"
            case ev.StopRequested(by=by, at=at, because=because):
                words, tone = f"■ stopped by {by.user} ({by.channel}): {because}", "warn"
            case ev.ApprovalRefused(by=by, at=at, why=why):
                words, tone = f"! refused {by.user or 'nobody'} ({by.channel}): {why}", "bad"
            case ev.RequestRefused(by=by, at=at, asked=asked, why=why):
                words, tone = f"! refused {by.user or 'nobody'}, {asked}: {why}", "bad"
            case ev.Acknowledged(by=by, at=at):
                words, tone = f"· {by.user} is on it ({by.channel})", "text"
            case ev.Snoozed(by=by, at=at, until=until):
                words, tone = f"· {by.user} snoozed it until {times.clock(until)}", "text"
            case ev.CauseCorrected(by=by, at=at, mode=mode, subject=subject):
                where = f" on {subject}" if subject else ""
                words = f"≠ {by.user} ({by.channel}): it was {mode}{where}"
                tone = "warn"
            case _:
                continue
        style = paint.tone(tone)
        first, *rest = wrapped(words, width - 10)
        lines.append(Text.assemble((f"{times.clock(at)}  ", paint.dim), (first, style)))
        lines += [Text(" " * 12 + one, style) for one in rest]
    return lines


def unread(incident: Incident, width: int, paint: Palette) -> list[Text]:
    """Return a warning where entries are of a version that knows more than this one."""
    if not incident.unreadable:
        return []
    many = "an entry is" if incident.unreadable == 1 else f"{incident.unreadable} entries are"
    words = f"! {many} of a newer petops and cannot be read here: no change is made on it"
    return [Text(one, paint.warn) for one in wrapped(words, width)]


def progress(
    incident: Incident, now: datetime, times: Times, width: int, paint: Palette
) -> list[Text]:
    """Return what has become of an approved change: acting, recovery and relapse watch."""
    lines: list[Text] = []
    if incident.intent:
        act = f"act {incident.intent.act[:8]} at {times.clock(incident.intent.at)}"
        lines.append(Text.assemble(("↻ sent      ", paint.info), (act, paint.text)))
        lines += _steps(incident, width, paint)
    if incident.stop:
        lines.append(Text("■ asked to end where it is", paint.warn))
    if incident.applied:
        how = "found done by looking" if incident.applied.settled else "the cluster has the change"
        lines.append(Text.assemble(("● applied   ", paint.good), (how, paint.text)))
    if incident.phase is Phase.WATCHING:
        lines.append(Text("◕ watching whether the symptom goes away …", paint.accent))
    if incident.recovered:
        for index, one in enumerate(incident.recovered.signals):
            lead = "● recovered " if not index else " " * 12
            lines.append(Text.assemble((lead, paint.good), (plain(one), paint.text)))
    if incident.watch and incident.phase is Phase.RECOVERED:
        lines += _watch(incident.watch, now, width, paint)
    lines += _outcome(incident, width, paint)
    if incident.taken_back:
        at = times.clock(incident.taken_back.at)
        lines.append(Text(f"● taken back at {at}: as it was before", paint.good))
    return lines


def _steps(incident: Incident, width: int, paint: Palette) -> list[Text]:
    """Return how far a change is that goes on pod by pod."""
    events = (one.event for one in reversed(incident.history))
    latest = next((one for one in events if isinstance(one, ev.ActProgressed)), None)
    if latest is None or not incident.progress:
        return []
    told = f"{len(incident.progress)} done, {latest.left} left"
    lines = [Text.assemble(("◔ goes on   ", paint.info), (told, paint.text))]
    lines += [
        Text("  " + fitted(one, max(1, width - 2)), paint.dim) for one in incident.progress[-3:]
    ]
    if latest.blocked:
        lines += [Text(one, paint.warn) for one in wrapped(f"held up: {latest.blocked}", width)]
    return lines


def _watch(watch: ev.RelapseWatchStarted, now: datetime, width: int, paint: Palette) -> list[Text]:
    whole_seconds = max(1.0, (watch.until - watch.at).total_seconds())
    left = max(0.0, (watch.until - now).total_seconds())
    cells = max(8, min(40, width - 34))
    full = round((1 - left / whole_seconds) * cells)
    line = Text("◕ watching for a relapse ", paint.accent)
    line.append("━" * full, paint.accent)
    line.append("┄" * (cells - full), paint.faint)
    line.append(f" {countdown(left)}", paint.text)
    return [line, *(Text("  " + one, paint.dim) for one in wrapped(watch.because, width - 2))]


def _outcome(incident: Incident, width: int, paint: Palette) -> list[Text]:
    """Return what the change led to in the end."""
    match incident.outcome:
        case ev.Mitigated(because=because):
            told, tone = f"◐ mitigated, not fixed: {because}", "warn"
        case ev.RemedyVerified(signals=signals):
            told, tone = f"✓ verified: {'; '.join(signals)}", "good"
        case ev.RemedyFailed(because=because):
            told, tone = f"✗ it did not help: {because}", "bad"
        case ev.ActFailed(why=why):
            told, tone = f"✗ not made: {why}", "bad"
        case None:
            return []
    return [Text(one, paint.tone(tone)) for one in wrapped(told, width)]
