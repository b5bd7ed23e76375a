"""A sentence to its meaning: by what, how many, past which bound, as which one figure. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from petops.mcp_server.question.intents import Form, Meaning, Measure, Threshold
from petops.mcp_server.question.measured import form_of, measure_of
from petops.mcp_server.question.sentence import Sentence
from petops.mcp_server.question.time_range import Times
from petops.mcp_server.question.vocabulary import KIND_LEMMAS

DEFAULT_TOP: Final = 5
EVERY: Final = 0  # of a ranking
MOST_RANKED: Final = 100
_ANSWERED: Final = ("request", "rps", "response", "error", "traffic")  # what has a status code
_WITH_THE_MOST: Final = rf" (?:{'|'.join(sorted(KIND_LEMMAS))}) for (?:maximum|minimum) "
_AGGREGATES: Final[Sequence[tuple[tuple[str, ...], str]]] = (
    (("average",), "avg"),
    (("maximum", "most"), "max"),
    (("minimum", "bottom"), "min"),
    (("percentile", "median"), "quantile"),
    (("total", "sum", "cluster", "system"), "sum"),
)


def meaning_of(sentence: Sentence, times: Times) -> Meaning | None:
    """Return what is asked; None where no measure is spoken of."""
    measure = measure_of(sentence)
    if measure is None:
        return None
    form = form_of(sentence, times, measure)
    if times.base is not None and form not in {Form.FORECAST, Form.GROWTH, Form.RUN_OUT}:
        times = replace(times, base=None, window=times.base)
    by = kinds_asked(sentence)
    top, ascending = ranking_of(sentence, measure, form, by)
    return Meaning(
        measure=measure,
        form=form,
        sentence=sentence,
        times=times,
        entities=tuple(sentence.entities),
        by=by,
        top=top,
        ascending=ascending,
        threshold=threshold_of(sentence),
        aggregate=aggregate_of(sentence, measure, top),
        counted=sentence.has("many"),
        compared=sentence.has("compare") or times.earlier is not None,
    )


def kinds_asked(sentence: Sentence) -> tuple[str, ...]:
    """Return by which kinds the answer is told apart: `by X`, else the X that is spoken of."""
    lemmas = "|".join(sorted(KIND_LEMMAS | {"code", "method"}))
    explicit = re.findall(rf" per (?:\w+ )??({lemmas})(?= )", sentence.row)
    explicit += re.findall(rf" per (?:{lemmas}) (?:and |per )?({lemmas})(?= )", sentence.row)
    if not explicit and " per status " in sentence.row and sentence.has(*_ANSWERED):
        explicit = ["code"]
    if explicit:
        return tuple(dict.fromkeys(explicit))
    asked = re.findall(rf" which ({lemmas})(?= )", sentence.row)
    if asked:
        return (asked[0],)
    spoken = [one for one in sentence.row.split() if one in KIND_LEMMAS]
    return (spoken[0],) if spoken else ()


def ranking_of(
    sentence: Sentence, measure: Measure, form: Form, by: tuple[str, ...]
) -> tuple[int | None, bool]:
    """Return how many of a ranking are asked for, and whether it begins at the least."""
    has = sentence.has
    lowest, highest = _direction(sentence, measure, form)
    number = _number_ranked(sentence) if lowest or highest else None
    if number is not None:
        return number, lowest
    if has("rank") and by:
        return EVERY, lowest
    if not (lowest or highest):
        whole = has("rank") or (form is Form.GROWTH and not has("per", "many"))
        return (EVERY if whole and by else None), False
    narrow = any(one.kind in {"workload", "pod", "container"} for one in sentence.entities)
    superlative = has("most", "bottom", "worst", "closest") and not narrow
    comparable = bool(by) or superlative or len(sentence.entities) > 1
    # With a bound, "most" is part of it; "maximum" alone asks for one figure.
    which = has("which", "most") or sentence.matches(_WITH_THE_MOST)
    bounded = has("over", "below") or (has("maximum", "minimum") and not which)
    if not comparable or bounded or (has("many") and not has("which")):
        return None, False
    if len(sentence.entities) > 1 and not by:
        return EVERY, lowest  # of those that are named: which of them, and by how much
    return (DEFAULT_TOP if has("list", "all") else 1), lowest


def _direction(sentence: Sentence, measure: Measure, form: Form) -> tuple[bool, bool]:
    """Return whether the lowest are asked for, and whether the highest are."""
    has = sentence.has
    which = has("which") or sentence.matches(_WITH_THE_MOST)
    lowest = has("bottom") or (has("minimum") and which)
    highest = has("most", "first", "closest") or (has("maximum") and which)
    if has("worst"):
        lowest = lowest or measure is Measure.SUCCESS or form is Form.HEADROOM
        highest = not lowest
    if has("ascending"):
        return True, True
    if measure is Measure.LATENCY and has("fast") and not sentence.matches(r" slow .*fast "):
        return not has("bottom"), True
    if has("slow") and not has("over"):
        return lowest and measure is not Measure.LATENCY, True
    highest = highest or (has("fast") and form is Form.GROWTH)
    return lowest, highest or sentence.matches(r" which .*(?:more|busy) ")


def _number_ranked(sentence: Sentence) -> int | None:
    """Return N of `top N`, `N slowest`, or `the N pods with the highest`."""
    order = "most|bottom|first|minimum|maximum|slow|fast|busy"
    kinds = "|".join(sorted(KIND_LEMMAS))
    for pattern in (
        rf" (?:{order}) (?:for )?#(\d+)",
        rf"#(\d+) (?:{order})",
        rf" which #(\d+) (?:{kinds}) ",
        rf"^ (?:list )?#(\d+) (?:{kinds}) ",
    ):
        found = re.search(pattern, sentence.row)
        if found and not sentence.figures[int(found[1])].unit:
            return max(1, min(MOST_RANKED, int(sentence.figures[int(found[1])].value)))
    return None


def threshold_of(sentence: Sentence) -> Threshold | None:
    """Return the bound that is named."""
    for pattern, sign in (
        (r" atleast #(\d+)", ">="),
        (r" atmost #(\d+)", "<="),
        (r" (?:not|no) (?:over|exceed) #(\d+)", "<="),
        (r" (?:over|exceed|reach|more)(?: \w+){0,3}? #(\d+)", ">"),
        (r" (?:below|less)(?: \w+){0,3}? #(\d+)", "<"),
        (r" #(\d+) or more ", ">="),
        (r" #(\d+)(?: \w+)? and (?:more|over)", ">="),
        (r" #(\d+)(?: \w+)? and (?:less|below)", "<="),
        (r" equal (?:for )?#(\d+)", "=="),
    ):
        found = re.search(pattern, sentence.row)
        if found:
            return Threshold(sign=sign, figure=sentence.figures[int(found[1])])
    pair = re.search(r" #(\d+) and #(\d+) ", sentence.row)
    if pair is None:
        return None
    least, most = (sentence.figures[int(number)] for number in pair.groups())
    return Threshold(sign=">=", figure=least, most=most)


def aggregate_of(sentence: Sentence, measure: Measure, top: int | None) -> str:
    """Return the function that makes one figure of many."""
    if top is not None:
        return ""
    rows = _AGGREGATES
    if measure is Measure.HPA:
        rows = tuple(row for row in rows if row[1] not in {"max", "min"})
    if measure is Measure.LATENCY:  # its percentile is the measure itself
        rows = tuple(row for row in rows if row[1] != "quantile")
    return next((function for lemmas, function in rows if sentence.has(*lemmas)), "")


def is_explicit(sentence: Sentence) -> bool:
    """Say whether the sentence says by what to tell apart, and does not just speak of it."""
    lemmas = "|".join(sorted(KIND_LEMMAS | {"code", "status", "method"}))
    return sentence.matches(rf" (?:per|which)(?: \w+)? (?:{lemmas}) ")
