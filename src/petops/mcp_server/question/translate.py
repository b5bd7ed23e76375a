"""A question in plain words to PromQL, or why it cannot be answered. Pure.

Rule: never an exception for whatever the question holds, and never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from petops.mcp_server.question import measures, nodes
from petops.mcp_server.question.asking import meaning_of
from petops.mcp_server.question.catalogue import Catalogue
from petops.mcp_server.question.forms import written
from petops.mcp_server.question.intents import Form, Meaning, Measure
from petops.mcp_server.question.measured import measures_together
from petops.mcp_server.question.promql import duration, named
from petops.mcp_server.question.quantities import Watched, counted, quantity_of, watched_of
from petops.mcp_server.question.run_out import run_out
from petops.mcp_server.question.selection import Scope, Selection, UnanswerableError
from petops.mcp_server.question.sentence import Reader, Sentence
from petops.mcp_server.question.suggest import suggestions
from petops.mcp_server.question.time_range import times_of
from petops.mcp_server.question.units import Written, scaled
from petops.mcp_server.question.vocabulary import with_methods, with_phrases
from petops.mcp_server.question.words import plain, words_of

LONGEST_QUESTION: Final = 1_000
_GENERAL: Final = (
    Measure.MEMORY,
    Measure.CPU,
    Measure.LATENCY,
    Measure.ERROR_RATIO,
    Measure.RESTARTS,
    Measure.THROTTLING,
)
_GENERAL_OF_NODES: Final = (Measure.MEMORY, Measure.CPU, Measure.DISK_IO)
HISTORY_SECONDS: Final = 3 * 3600.0
MOST_POINTS: Final = 240
_STEPS: Final = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
_CODE: Final = re.compile(r"[{}\[\];`\\$|^*]|\w\(|--|=\s*[\"']")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_LONGEST_SECONDS: Final = 20 * 365 * 86_400.0
_ORDER: Final = re.compile(
    r"(?:please |can you |could you |pls |kindly |just |now )*"
    r"(?:restart|scale|kill|evict|run|start|set|reboot) "
    r"(?:up |down )?(?:the |all )?(\S+)"
)
_CHANGE: Final = re.compile(
    r"(?:please |can you |could you |pls |kindly |just |now )*"
    r"(?:increase|decrease|raise|lower|reduce|bump|double|halve|change|adjust|migrate|move|switch) "
    r"(?:up |down )?(?:the|its|their|our|my|all|replicas|limits?|memory|cpu) "
)
_NO_OBJECTS: Final = frozenset(
    {
        "count",
        "counts",
        "counter",
        "counters",
        "number",
        "numbers",
        "total",
        "totals",
        "rate",
        "for",
        "of",
        "per",
        "by",
        "in",
        "over",
        "history",
        "trend",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A question as PromQL. Times are Unix seconds and stand for a range only."""

    promql: str
    kind: Literal["instant", "range"]
    reading: str
    unit: str
    about: str
    start: float | None = None
    end: float | None = None
    step: float | None = None
    may_be_empty: bool = False
    watched: tuple[Watched, ...] = ()
    meaning: Meaning | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a question has no answer here, and the nearest that has one."""

    why: str
    nearest: tuple[str, ...] = ()


def translate(question: str, catalogue: Catalogue, now: datetime) -> Translation | Refused:
    """Return the PromQL for a question, asked at a time."""
    refused = _unfit(question)
    if refused is not None:
        return refused
    try:
        return _translated(question, catalogue, now)
    except UnanswerableError as why:
        return Refused(why=why.why, nearest=why.nearest or suggestions(catalogue))


def _unfit(question: str) -> Refused | None:
    text = plain(question)
    if text and _CONTROLS.search(question):
        return Refused(why="the question holds control characters, as no name does")
    if not text or not any(one.isalnum() for one in text):
        return Refused(why="there is no question")
    if len(text) > LONGEST_QUESTION:
        return Refused(
            why=f"the question has {len(text)} characters; {LONGEST_QUESTION} are the most"
        )
    if _CODE.search(text):
        return Refused(
            why="that is code and no question in words; execute_query takes PromQL as it is"
        )
    return None


def _translated(question: str, catalogue: Catalogue, now: datetime) -> Translation | Refused:
    text = plain(question)
    times, rest = times_of(_lowered(with_methods(text), catalogue), now)
    if times.window is not None and not 1 <= times.window <= _LONGEST_SECONDS:
        return Refused(why=f"no samples are kept for a time of {times.window:g} s")
    sentence = Reader(words_of(with_phrases(rest)), catalogue).read()
    refused = _not_understood(sentence, text, catalogue)
    if refused is not None:
        return refused
    meaning = meaning_of(sentence, times)
    if meaning is None:
        return Refused(
            why="no measure that is known here is asked for", nearest=suggestions(catalogue)
        )
    selection = Selection(catalogue, Scope.of(meaning.entities))
    if meaning.form is Form.ANOMALY:
        return _anomalies(meaning, selection, now)
    return _answer(meaning, selection, now)


def _lowered(text: str, catalogue: Catalogue) -> str:
    """Return the text in lower case, but for names of metrics."""
    return " ".join(
        word if word.strip("?.,!\"'") in catalogue.names else word.lower() for word in text.split()
    )


def _not_understood(sentence: Sentence, text: str, catalogue: Catalogue) -> Refused | None:
    """Return why the words cannot be taken as a question about metrics."""
    order = _ORDER.match(text.lower())
    is_order = order is not None and order[1] not in _NO_OBJECTS and bool(sentence.entities)
    is_order = is_order or (_CHANGE.match(text.lower()) is not None and bool(sentence.entities))
    if sentence.has("act") or is_order:
        return Refused(
            why="petops ask only reads metrics; it changes nothing", nearest=suggestions(catalogue)
        )
    if sentence.unknown:
        one = sentence.unknown[0]
        near = f": {', '.join(one.nearest)}" if one.nearest and "several" in one.why else ""
        return Refused(why=one.why + near, nearest=one.nearest or suggestions(catalogue))
    if sentence.has("why"):
        return Refused(
            why="metrics say what is, not why; `petops investigate` looks for causes",
            nearest=suggestions(catalogue),
        )
    return None


def _answer(meaning: Meaning, selection: Selection, now: datetime) -> Translation:
    if meaning.measure is Measure.COUNT:
        about, result = counted(meaning, selection)
    elif meaning.form is Form.RUN_OUT:
        about, result = run_out(meaning, selection)
    elif together := measures_together(meaning.sentence):
        about, result = _together(meaning, together, selection)
    else:
        quantity = quantity_of(meaning, selection)
        about, result = quantity.about, written(meaning, quantity, selection.scope)
        if meaning.measure is Measure.CONDITION:
            result = _conditions(meaning, result)
    result = scaled(meaning, result)
    translation = Translation(
        promql=result.promql,
        kind="instant" if result.window is None else "range",
        reading=_reading(about, meaning, selection, result),
        unit=result.unit,
        about=about,
        may_be_empty=result.may_be_empty,
        meaning=meaning,
    )
    if result.window is None:
        return translation
    return _over(translation, now, result.window, result.until)


def _together(
    meaning: Meaning, measured: tuple[Measure, ...], selection: Selection
) -> tuple[str, Written]:
    """Return several measures in one result, told apart by a label."""
    found = [quantity_of(replace(meaning, measure=one), selection) for one in measured]
    results = [
        written(replace(meaning, measure=measure), quantity, selection.scope)
        for measure, quantity in zip(measured, found, strict=True)
    ]
    promql = " or ".join(
        named(result.promql, "measure", quantity.about)
        for result, quantity in zip(results, found, strict=True)
    )
    about = " and ".join(one.about for one in found)
    return about, replace(results[0], promql=promql, unit="")


def _conditions(meaning: Meaning, result: Written) -> Written:
    """Return the nodes of which a condition holds, or for each whether it does."""
    wanted = 0 if nodes.wants_false(meaning) else 1
    if meaning.counted:
        return replace(result, promql=f"count({result.promql} == {wanted}) or vector(0)", by=())
    if meaning.sentence.has("which", "list"):
        return replace(result, promql=f"{result.promql} == {wanted}", may_be_empty=True)
    if wanted == 0:
        return replace(result, promql=f"{result.promql} == bool 0")
    return result


def _anomalies(meaning: Meaning, selection: Selection, now: datetime) -> Translation:
    """Return the curves in which to look for anomalies."""
    measured: tuple[Measure, ...] = (meaning.measure,)
    if meaning.measure is Measure.GENERAL:
        measured = _GENERAL_OF_NODES if measures.meaning_on_nodes(meaning) else _GENERAL
    watched: list[Watched] = []
    last: UnanswerableError | None = None
    for measure in measured:
        one = replace(meaning, measure=measure, form=Form.VALUE, aggregate="", top=None)
        try:
            watched.append(watched_of(one, selection))
        except UnanswerableError as why:
            last = why
    if not watched:
        raise last or UnanswerableError("there is nothing here to look at")
    if len(watched) == 1:
        promql = watched[0].promql
    else:
        promql = " or ".join(named(one.promql, "measure", one.about) for one in watched)
    about = ", ".join(one.about for one in watched)
    result = Written(promql=promql, unit=watched[0].unit, by=(watched[0].by,))
    window = meaning.times.window or HISTORY_SECONDS
    translation = Translation(
        promql=promql,
        kind="range",
        reading=_reading(f"anomalies in {about}", meaning, selection, result),
        unit=watched[0].unit,
        about=about,
        may_be_empty=False,
        watched=tuple(watched),
        meaning=meaning,
    )
    return _over(translation, now, window, meaning.times.until)


def _over(translation: Translation, now: datetime, window: float, until: float) -> Translation:
    end = now.timestamp() - until
    return replace(translation, start=end - window, end=end, step=float(step_for(window)))


def step_for(window: float) -> int:
    """Return a step that gives a curve of a length that can be read."""
    return next((step for step in _STEPS if window / step <= MOST_POINTS), _STEPS[-1])


def _reading(about: str, meaning: Meaning, selection: Selection, result: Written) -> str:
    """Return in one sentence how the question was taken."""
    parts = [about]
    names = [f"{one.kind} {one.name}" for one in meaning.entities]
    if names:
        parts.append(f"of {' and '.join(names)}")
    if result.by:
        parts.append(f"by {' and '.join(result.by)}")
    text = " ".join((*parts, *result.words))
    if result.window is not None and result.until:
        text += f", until {duration(result.until)} ago"
    notes = dict.fromkeys((*meaning.sentence.notes, *selection.notes))
    return "; ".join((text, *notes))
