"""Which measure a sentence is about, and in which form. Pure.

Rule: each choice looks at meanings, never at whole phrases or at names. In each table the first row
that fits is taken, so what is more special stands first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from petops.mcp_server.question.intents import Form, Measure
from petops.mcp_server.question.sentence import Sentence
from petops.mcp_server.question.time_range import Times
from petops.mcp_server.question.vocabulary import KIND_LEMMAS

_Fits = Callable[[Sentence], bool]

_BYTES: Final = ("kib", "mib", "gib", "kb", "mb", "gb", "bits", "mbit")
_SUPERLATIVES: Final = ("most", "minimum", "bottom", "busy")
_FILLERS: Final = frozenset({"in", "for", "per", "across", "and", "now", "current"})


def measure_of(sentence: Sentence) -> Measure | None:
    """Return the measure that is asked for, if any is."""
    return next((measure for fits, measure in _MEASURES if fits(sentence)), None)


def form_of(sentence: Sentence, times: Times, measure: Measure) -> Form:
    """Return what is asked about the measure."""
    if measure is Measure.GENERAL:
        return Form.ANOMALY
    if times.horizon is not None and not _runs_out(sentence):
        return Form.ANOMALY if sentence.has("anomaly") else Form.FORECAST
    has_limits = measure in {Measure.MEMORY, Measure.CPU}
    if has_limits and sentence.has("oom"):
        left = sentence.has("headroom", "free", "available", "much") and sentence.has("memory")
        return Form.HEADROOM if left and not sentence.has("time", "when") else Form.RUN_OUT
    rows = (*_FORMS, *(_FORMS_OF_LIMITS if has_limits else ()))
    return next((form for fits, form in rows if fits(sentence)), Form.VALUE)


def is_ahead(sentence: Sentence) -> bool:
    """Say whether an end is asked about that is still to come."""
    return sentence.has("will", "until", "when", "predict") or sentence.matches(r" time for oom ")


def on_nodes(sentence: Sentence) -> bool:
    """Say whether nodes are spoken of."""
    return sentence.has("node") or any(one.kind == "node" for one in sentence.entities)


def _units(sentence: Sentence) -> set[str]:
    return {one.unit for one in sentence.figures}


def _any(*lemmas: str) -> _Fits:
    return lambda sentence: sentence.has(*lemmas)


def _is_latency(sentence: Sentence) -> bool:
    has = sentence.has
    if has("response") and has("time", "average"):
        return True
    if sentence.matches(r" time (?:\S+ )?(?:request|response) | (?:request|response) time "):
        return True
    told = has("slow", "fast", "percentile", "median", "tail")
    of_resources = has("memory", "cpu", "core", "disk", "network", "growth", "restart")
    return has("latency") or (told and not of_resources and not sentence.matches(" fast .* change"))


def _is_success(sentence: Sentence) -> bool:
    has = sentence.has
    of_things = has("replica", "deployment", "memory", "node", "pod", "cpu", "core", "disk")
    return has("success") or (has("available") and bool(sentence.entities) and not of_things)


def _speaks_of_errors(sentence: Sentence) -> bool:
    """Say whether requests fail; a failed pod is another matter."""
    has = sentence.has
    of_pods = has("pod") and not has("request", "rate", "code", "share", "rps")
    of_others = has("network", "disk") or (of_pods and has("failed", "status"))
    return has("error", "failed", "code") and not of_others


def _counts_errors(sentence: Sentence) -> bool:
    """Errors are a share of requests, unless they are counted or have a rate of their own."""
    if sentence.has("share") or "%" in _units(sentence):
        return False
    if sentence.codes and sentence.has("request", "response"):
        return True
    return sentence.has("many", "often", "persecond", "perminute", "perhour", "total", "traffic")


def _is_requests(sentence: Sentence) -> bool:
    has = sentence.has
    of_bytes = has("network", "bytes", "receive", "transmit", "out", *_BYTES)
    if has("rps"):
        return not has("network", "disk", *_BYTES)
    if has("request"):
        return not has("cpu", "memory", "core")
    # What services receive are requests; what pods receive are bytes.
    return has("traffic") and (not of_bytes or (has("service") and not has("network", *_BYTES)))


def _is_replicas(sentence: Sentence) -> bool:
    has = sentence.has
    if has("pod") and not has("replica", "desired"):
        return False
    told = has("replica", "unavailable") or (has("desired") and not has(*_TOGETHER))
    return told or (has("available", "ready") and has("deployment"))


def _is_disk_io(sentence: Sentence) -> bool:
    has = sentence.has
    of_space = has("space", "free", "left", "headroom", "available")
    return has("disk", "io") and has("io", "busy", "time") and not of_space


def _is_bare_list(sentence: Sentence) -> bool:
    """Say whether only things and places are named: `pods on node X`."""
    said = set(sentence.row.split()) - KIND_LEMMAS - _FILLERS
    named = bool(sentence.entities) and all(one.startswith("@") for one in said)
    per_kind = sentence.has("per") and all(one in KIND_LEMMAS for one in said)
    return _has_kind(sentence) and (named or per_kind)


def _has_kind(sentence: Sentence) -> bool:
    return sentence.has(*KIND_LEMMAS)


_TOGETHER: Final = {
    "memory": Measure.MEMORY,
    "cpu": Measure.CPU,
    "latency": Measure.LATENCY,
    "error": Measure.ERROR_RATIO,
    "request": Measure.REQUESTS,
    "rps": Measure.REQUESTS,
    "traffic": Measure.REQUESTS,
    "restart": Measure.RESTARTS,
    "throttle": Measure.THROTTLING,
    "network": Measure.NETWORK,
}


def measures_together(sentence: Sentence) -> tuple[Measure, ...]:
    """Return the measures that are asked for side by side: `memory and cpu of X`."""
    lemmas = "|".join(_TOGETHER)
    joint = rf" ({lemmas})(?: rate| usage| share)? (?:and )+(?:percentile )?(?=({lemmas}) )"
    pairs = re.findall(joint, sentence.row)
    found = tuple(dict.fromkeys(_TOGETHER[lemma] for pair in pairs for lemma in pair))
    return found if len(found) > 1 else ()


_MEASURES: Final[Sequence[tuple[_Fits, Measure]]] = (
    (_any("metric"), Measure.METRIC),
    (lambda s: s.has("hpa") or any(one.kind == "hpa" for one in s.entities), Measure.HPA),
    (
        lambda s: s.has("atmax", "max-out") and not s.has("memory", "cpu", "core", "disk"),
        Measure.HPA,
    ),
    (lambda s: s.has("runout") and s.has("disk", "space"), Measure.DISK_SPACE),
    (lambda s: s.has("oom") and is_ahead(s), Measure.MEMORY),
    (lambda s: s.has("oom") and not s.has("runout"), Measure.OOM),
    (lambda s: s.has("memory") and s.has("killed"), Measure.OOM),
    (_any("evict"), Measure.EVICTIONS),
    (_any("throttle"), Measure.THROTTLING),
    (_any("restart", "crash"), Measure.RESTARTS),
    (_is_latency, Measure.LATENCY),
    (_is_success, Measure.SUCCESS),
    (
        lambda s: s.has("code") and not s.codes and not s.has("error", "failed"),
        Measure.REQUESTS,
    ),
    (lambda s: _speaks_of_errors(s) and _counts_errors(s), Measure.ERRORS),
    (_speaks_of_errors, Measure.ERROR_RATIO),
    (_is_requests, Measure.REQUESTS),
    (
        lambda s: s.has("pressure") and s.has("memory", "disk", "cpu", "node", "io"),
        Measure.CONDITION,
    ),
    (_is_replicas, Measure.REPLICAS),
    (
        lambda s: on_nodes(s) and s.has("ready", "notready", "condition", "healthy", "unhealthy"),
        Measure.CONDITION,
    ),
    (_is_disk_io, Measure.DISK_IO),
    (_any("disk", "space", "io"), Measure.DISK_SPACE),
    (
        lambda s: (
            s.has("network", "receive", "transmit", "bytes", "bits", "mbit")
            and not s.has("memory", "cpu", "workingset", "rss", "cached")
        ),
        Measure.NETWORK,
    ),
    (_any("runout"), Measure.MEMORY),
    (_any("memory", "workingset", "rss", "cached"), Measure.MEMORY),
    (
        lambda s: (
            s.has("cpu", "core", "milli", "iowait", "steal") or bool(_units(s) & {"core", "m"})
        ),
        Measure.CPU,
    ),
    (lambda s: bool(_units(s) & {"kib", "mib", "gib", "mb", "gb"}), Measure.MEMORY),
    (lambda s: s.has("usage") and s.has(*_BYTES), Measure.MEMORY),
    (lambda s: s.has("load", "busy") and on_nodes(s), Measure.LOAD),
    (_any("anomaly"), Measure.GENERAL),
    (lambda s: s.has("healthy", "unhealthy") and bool(s.entities), Measure.GENERAL),
    (
        lambda s: _has_kind(s) and s.has(*_SUPERLATIVES) and s.has("service") and not s.has("many"),
        Measure.REQUESTS,
    ),
    (lambda s: _has_kind(s) and s.has(*_SUPERLATIVES) and not s.has("many"), Measure.CPU),
    (
        lambda s: s.has("limit", "headroom") and bool(s.entities) and not _has_kind(s),
        Measure.MEMORY,
    ),
    (_any("leak"), Measure.MEMORY),
    (lambda s: s.has("growth", "shrink") and (_has_kind(s) or bool(s.entities)), Measure.MEMORY),
    (
        lambda s: (
            _has_kind(s)
            and s.has(
                *("many", "list", "which", "exist", "all", "total"),
                *("running", "pending", "notrunning", "error", "failed", "ready", "notready"),
                "status",
            )
        ),
        Measure.COUNT,
    ),
    (_is_bare_list, Measure.COUNT),
    (_any("pending", "notrunning"), Measure.COUNT),
    (
        lambda s: bool(s.entities) and s.has("running", "notrunning", "pending", "failed"),
        Measure.COUNT,
    ),
)


def _runs_out(sentence: Sentence) -> bool:
    has = sentence.has
    bound = has("reach", "exceed", "oom", "limit", "atmax")
    # "How much is left until": a quantity; "how long until": a time.
    asks_when = has("when") or (
        has("until") and (has("time") or not has("much", "headroom", "free", "available"))
    )
    will_reach = has("will") and has("exceed", "reach") and has("limit")
    return has("runout") or (asks_when and bound) or will_reach


def _grows(sentence: Sentence) -> bool:
    if sentence.has("restart"):
        return False
    how_much = sentence.has("change") and sentence.has("much")
    told = sentence.has("growth", "shrink", "leak") or sentence.matches(r" change (?:in|for) ")
    return told or how_much


def _is_share(sentence: Sentence) -> bool:
    """Say whether use is set against what is allowed, where that is spoken of."""
    told = (
        "share",
        "close",
        "closest",
        "over",
        "below",
        "exceed",
        "usage",
        "much",
        "atleast",
        "reach",
    )
    return sentence.has(*told, "compare", "atmax") or "%" in _units(sentence)


def _asks_for_bound(sentence: Sentence) -> bool:
    return not _is_share(sentence) or sentence.matches(r" much .*limit (?:do|have|for)")


_FORMS: Final[Sequence[tuple[_Fits, Form]]] = (
    (_any("anomaly"), Form.ANOMALY),
    (lambda s: s.has("leak") and not s.entities, Form.ANOMALY),  # of all: who does
    (_runs_out, Form.RUN_OUT),
    (_any("predict", "will"), Form.FORECAST),
    (_grows, Form.GROWTH),
)
_FORMS_OF_LIMITS: Final[Sequence[tuple[_Fits, Form]]] = (
    (lambda s: s.has("headroom") and (not on_nodes(s) or s.has("limit")), Form.HEADROOM),
    (lambda s: s.has("free", "available") and not on_nodes(s), Form.HEADROOM),
    (lambda s: s.has("limit", "atmax") and _asks_for_bound(s), Form.LIMIT),
    (_any("limit", "atmax"), Form.SHARE),
    (lambda s: s.has("request") and not _is_share(s), Form.REQUEST),
    (_any("request"), Form.REQUEST_SHARE),
    (lambda s: not on_nodes(s) and (s.has("share") or "%" in _units(s)), Form.SHARE),
)
