"""A finished expression, and units: of bounds, and those that are asked for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from petops.mcp_server.question.intents import Meaning, Measure
from petops.mcp_server.question.measures import (
    BYTES,
    BYTES_PER_SECOND,
    CORES,
    RATIO,
    SECONDS,
    Quantity,
)
from petops.mcp_server.question.selection import UnanswerableError
from petops.mcp_server.question.sentence import Figure

_BINARY = 1024.0
_FACTORS = {
    "kib": _BINARY,
    "mib": _BINARY**2,
    "gib": _BINARY**3,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "k": 1e3,
    "m": 1e-3,
    "ms": 1e-3,
    "min": 60.0,
    "%": 1e-2,
}
_SHOWN = {
    "kib": 1024,
    "mib": 1048576,
    "gib": 1073741824,
    "kb": 1000,
    "mb": 1000000,
    "gb": 1000000000,
}


_NAMES = {"kib": "KiB", "mib": "MiB", "gib": "GiB", "kb": "kB", "mb": "MB", "gb": "GB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A finished expression. `window` is set where it must be shown as a curve."""

    promql: str
    unit: str
    by: tuple[str, ...]
    words: tuple[str, ...] = ()
    window: float | None = None
    until: float = 0.0
    may_be_empty: bool = False


def scaled(meaning: Meaning, result: Written) -> Written:
    """Return the result in the unit that is asked for."""
    if result.window is None and meaning.threshold is not None:
        return result
    has = meaning.sentence.has
    factor, unit = _asked_unit(meaning, result.unit)
    for lemma, times, name in (("perminute", 60, "/min"), ("perhour", 3600, "/h")):
        if has(lemma) and unit.endswith("/s"):
            factor, unit = f"{factor} * {times}", unit.removesuffix("/s") + name
    if not factor:
        return result
    return replace(result, promql=f"{closed(result.promql, always=True)}{factor}", unit=unit)


def _asked_unit(meaning: Meaning, unit: str) -> tuple[str, str]:
    """Return what makes values those of the unit that is asked for, and its name."""
    has = meaning.sentence.has
    for lemma, size in _SHOWN.items():
        if has(lemma) and unit.startswith(BYTES):
            return f" / {size}", unit.replace(BYTES, _NAMES[lemma], 1)
    if has("bits", "mbit") and unit == BYTES_PER_SECOND:
        return (" * 8 / 1000000", "Mbit/s") if has("mbit") else (" * 8", "bit/s")
    if has("millisecond") and unit == SECONDS:
        return " * 1000", "ms"
    if has("milli") and unit == CORES:
        return " * 1000", "m"
    if meaning.sentence.is_percent and unit == RATIO and not meaning.counted:
        return " * 100", "%"
    return "", unit


def in_unit(figure: Figure, quantity: Quantity, meaning: Meaning) -> float:
    """Return a bound in the unit of what it bounds."""
    if figure.unit == "%" and quantity.unit != RATIO:
        raise UnanswerableError(
            f"{quantity.about} is no share: a bound of {figure.value:g}% says nothing about it"
        )
    value = figure.value * _FACTORS.get(figure.unit, 1.0)
    if meaning.sentence.has("perminute") and quantity.unit.endswith("/s"):
        value /= 60
    if meaning.sentence.has("milli") and quantity.unit == CORES and figure.unit != "m":
        value /= 1000
    if (
        quantity.unit == RATIO
        and not figure.unit
        and figure.value > 1
        and meaning.measure is not Measure.DISK_IO
    ):
        value /= 100
    return value


def closed(promql: str, *, always: bool = False) -> str:
    """Return an expression in brackets, where what follows would bind closer than its parts."""
    return f"({promql})" if always or " or " in promql else promql
