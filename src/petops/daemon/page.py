"""One incident, and the list of them, as pages to read: no script, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from html import escape
from typing import Any, Final

from petops.domain.events import Entry
from petops.domain.incident import Board, Incident
from petops.domain.phases import OVER
from petops.wire import kind_of
from petops.wire.report import report

CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_LONGEST: Final = 600
_MOST_ENTRIES: Final = 300
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--ground:#f6f7f9;
--card:#fff;--accent:#3b5bdb;--good:#2b8a3e;--bad:#c92a2a;--warn:#b35c00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ee;--soft:#9aa5b3;--line:#2d3642;--ground:#12161c;
--card:#1a2028;--accent:#91a7ff;--good:#69db7c;--bad:#ff8787;--warn:#ffc078}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.5rem;margin:.2rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:.8rem;text-transform:uppercase;letter-spacing:.08em;color:var(--soft);
margin:2.2rem 0 .6rem}
section,table,form{background:var(--card);border:1px solid var(--line);border-radius:10px}
section,form{padding:1rem 1.2rem}p{margin:.35rem 0;overflow-wrap:anywhere}
.soft{color:var(--soft)}.row{display:flex;gap:.5rem;flex-wrap:wrap;align-items:center}
.tag{border:1px solid currentColor;border-radius:99px;padding:.05rem .6rem;font-size:.8rem;
font-weight:600}
.P1,.against,.failed{color:var(--bad)}.P2,.waiting,.unexplained{color:var(--warn)}
.for,.verified,.recovered,.resolved{color:var(--good)}
table{width:100%;border-collapse:separate;border-spacing:0;font-size:.9rem}
td,th{padding:.5rem .8rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
overflow-wrap:anywhere}tr:last-child td{border-bottom:0}th{color:var(--soft);font-weight:600}
code{font:.85em ui-monospace,SFMono-Regular,Menlo,monospace;background:var(--ground);
border-radius:5px;padding:.1rem .35rem;overflow-wrap:anywhere}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.bar{height:6px;border-radius:3px;background:var(--line);overflow:hidden;margin:.5rem 0}
.bar i{display:block;height:100%;background:var(--accent)}
input{font:inherit;width:100%;padding:.5rem;border:1px solid var(--line);border-radius:6px;
background:var(--ground);color:inherit;margin:.4rem 0 .8rem}
button{font:inherit;padding:.45rem 1.1rem;border:0;border-radius:6px;
background:var(--accent);color:#fff}
"""


def incident_page(incident: Incident, shown_at: datetime) -> str:
    """Return the page of one incident."""
    told = report(incident)
    about = _subject(told["diagnosis"]["subject"] if told["diagnosis"] else None) or str(
        incident.alarm.subject or incident.alarm.name
    )
    parts = [
        '<p class="soft"><a href="/incidents">all incidents</a></p>',
        f"<h1>{_(incident.id)} <span class='soft'>{_(about)}</span></h1>",
        _summary(incident),
        f"<p class='soft'>{_(incident.assessment.because)}</p>",
        *_diagnosis(told["diagnosis"], incident),
        *_evidence(told["evidence"]),
        *_remedies(told["remedies"], incident),
        *_alarms(incident),
        "<h2>What happened</h2>",
        _table(("when", "what", ""), (_entry(one) for one in incident.history[-_MOST_ENTRIES:])),
        f"<p class='soft'>read only, as of {_time(shown_at)}</p>",
    ]
    return _page(f"{incident.id} · petops", parts)


def list_page(board: Board) -> str:
    """Return the page of all incidents, those that are open first."""
    every = board.latest_first
    first = [one for one in every if one.phase not in OVER]
    rows = [_row(one) for one in (*first, *(one for one in every if one.phase in OVER))][:500]
    head = ("", "", "incident", "about", "cause", "opened")
    shown = _table(head, rows) if rows else "<section>There are no incidents.</section>"
    return _page("Incidents · petops", ["<h1>Incidents</h1>", shown])


def login_page(target: str, why: str = "") -> str:
    """Return the form that takes a token for a while; `target` is where it leads."""
    return _page(
        "petops",
        [
            "<h1>petops</h1>",
            f"<p class='against'>{_(why)}</p>" if why else "",
            "<form method='post' action='/login'>",
            f"<input type='hidden' name='to' value='{_(target)}'>",
            "<label>Your token<input type='password' name='token' required></label>",
            "<button>Read</button></form>",
            "<p class='soft'>The token is not kept; this browser may read for eight hours.</p>",
        ],
    )


def missing_page(wanted: str) -> str:
    """Return the page for an incident that is not there."""
    return _page("petops", [f"<h1>There is no incident {_(wanted[:80])}</h1>"])


def _summary(incident: Incident) -> str:
    tags = (incident.assessment.priority, incident.phase, incident.assessment.category)
    opened = f"opened {_time(incident.opened_at)} · cluster {_(str(incident.alarm.cluster))}"
    goes_on = incident.merged_into
    link = f" · goes on in <a href='/incidents/{_(goes_on)}'>{_(goes_on)}</a>" if goes_on else ""
    shown = "".join(_tag(one) for one in tags)
    return f"<p class='row'>{shown}<span class='soft'>{opened}{link}</span></p>"


def _diagnosis(found: Mapping[str, Any] | None, incident: Incident) -> Iterator[str]:
    yield "<h2>Diagnosis</h2><section>"
    if found is None:
        because = incident.diagnosis.because if incident.diagnosis else "not investigated yet"
        yield f"<p><b>No cause known</b></p><p class='soft'>{_(because)}</p></section>"
        return
    percent = max(0, min(100, round(100 * float(found["confidence"]))))
    yield f"<p><b>{_(found['mode'])}</b> <span class='soft'>{percent} % sure</span></p>"
    yield f"<div class='bar'><i style='width:{percent}%'></i></div>"
    yield f"<p>{_(found['because'])}</p></section>"


def _evidence(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    shown = [
        (
            _tag(one["verdict"]),
            _(one["statement"]),
            _(one["seen"]),
            f"<code>{_(one['query'])}</code>",
        )
        for one in rows
    ]
    if shown:
        yield "<h2>Evidence</h2>"
        yield _table(("", "statement", "seen", "asked"), shown)


def _remedies(remedies: Iterable[Mapping[str, Any]], incident: Incident) -> Iterator[str]:
    shown = list(remedies)
    if not shown:
        return
    yield "<h2>Changes</h2>"
    for one in shown:
        digest = str(one["digest"])
        short = digest.removeprefix("sha256:")[:12]
        yield "<section>"
        yield f"<p class='row'><b>{_(one['name'])}</b>{_tag(one['risk'])}</p>"
        yield f"<p>{_(one['summary'])}</p>"
        if any(offer.digest == digest for offer in incident.on_offer):
            yield f"<p><code>petops approve {_(incident.id)} {_(short)}</code></p>"
        yield "</section>"


def _alarms(incident: Incident) -> Iterator[str]:
    rows = [
        (_tag(one.state), _(one.name), _(str(one.subject or one.unmapped)), _time(one.started_at))
        for one in list(incident.alarms.values())[:_MOST_ENTRIES]
    ]
    yield f"<h2>Alarms ({len(incident.alarms)})</h2>"
    yield _table(("", "alarm", "about", "since"), rows)


def _entry(entry: Entry) -> tuple[str, ...]:
    event = entry.event
    said = []
    for one in fields(event):
        value = getattr(event, one.name)
        if one.name in {"because", "why", "text", "into", "fingerprint"} and value:
            said.append(_(str(value)))
        elif one.name == "by" and value is not None:
            said.append(f"by <b>{_(value.user)}</b> ({_(value.channel)})")
    return _time(event.at), _(kind_of(type(event)).replace("-", " ")), " · ".join(said)


def _row(incident: Incident) -> tuple[str, ...]:
    cause = incident.diagnosis.cause if incident.diagnosis else None
    return (
        _tag(incident.assessment.priority),
        _tag(incident.phase),
        f"<a href='/incidents/{_(incident.id)}'>{_(incident.id)}</a>",
        _(str(incident.alarm.subject or incident.alarm.name)),
        _(cause.mode) if cause else "",
        _time(incident.opened_at),
    )


def _subject(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    place = f"{found['namespace']}/" if found.get("namespace") else ""
    return f"{found['kind']} {place}{found['name']}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{one}</th>" for one in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _tag(text: object) -> str:
    known = _(str(text))
    return f"<span class='tag {known}'>{known}</span>"


def _time(at: datetime) -> str:
    return f"<span class='soft'>{at:%Y-%m-%d %H:%M:%S}Z</span>"


def _(text: object) -> str:
    """Escape whatever came from elsewhere, and keep it of a length that can be read."""
    said = str(text)
    return escape(said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…")


def _page(title: str, parts: Iterable[str]) -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{_(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )
