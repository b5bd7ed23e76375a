"""Kubernetes' own notations: quantities such as `256Mi` and `100m`, and times to the second."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

MIB: Final = 1024**2
GIB: Final = 1024**3

_FORM: Final = re.compile(
    r"([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?:[eE]([+-]?[0-9]+)|([a-zA-Z]*))"
)
_UNITS: Final = {
    "": 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}


def quantity(value: object) -> float:
    """Return a quantity as a number; raise ValueError where it is none."""
    return _quantity(str(value))


@lru_cache(maxsize=4096)
def _quantity(value: str) -> float:
    found = _FORM.fullmatch(value)
    if found is None or (found[3] or "") not in _UNITS:
        raise ValueError(f"{value!r} is not a quantity")
    exponent = 10.0 ** min(int(found[2]), 30) if found[2] else 1.0
    return float(found[1]) * exponent * _UNITS[found[3] or ""]


def amount(resources: Mapping[str, Any], kind: str, name: str) -> float | None:
    """Return e.g. `limits`, `memory` of a container's resources; None where it is not set."""
    value = (resources.get(kind) or {}).get(name)
    return None if value is None else quantity(value)


def binary(size: int) -> str:
    """Return bytes as the kubelet prints them: `19Gi`, `100Mi`, `3707608Ki`, or bare."""
    for unit, bytes_each in (("Gi", GIB), ("Mi", MIB), ("Ki", 1024)):
        if size and not size % bytes_each:
            return f"{size // bytes_each}{unit}"
    return str(size)


def shown(name: str, value: float) -> str:
    """Return an amount of a resource in its canonical form: CPU in thousandths, bytes binary."""
    if "memory" in name or "storage" in name:
        return binary(round(value))
    thousandths = math.ceil(value * 1000 - 1e-6)
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def share(value: object, total: int, *, round_up: bool) -> int:
    """Return a number or a percentage of `total` as `maxSurge` and `minAvailable` are resolved."""
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    part = total * float(text[:-1]) / 100
    return math.ceil(part) if round_up else math.floor(part)


def stamp(at: datetime) -> str:
    """Return a `metav1.Time`: whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(at: datetime) -> str:
    """Return a `metav1.MicroTime`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Return the time that a `stamp` or `micro_stamp` says; raise ValueError where it says none."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
