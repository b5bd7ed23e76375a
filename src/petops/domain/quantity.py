"""Kubernetes quantities: exact numbers with the suffixes that manifests use."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from petops.errors import UsageError

_FACTORS: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY: Final = re.compile(r"([+-]?[0-9]*\.?[0-9]+)([eE][+-]?[0-9]{1,3}|[numkMGTPE]i?|Ki)?")


def exact(text: str) -> Decimal:
    """Return the number that a quantity stands for; raise UsageError for what is none."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text[:40]!r} is not a Kubernetes quantity")
    number, suffix = match.group(1), match.group(2) or ""
    if suffix in _FACTORS:
        return Decimal(number) * _FACTORS[suffix]
    if suffix[0] in "eE":
        return Decimal(number + suffix)
    raise UsageError(f"{text[:40]!r} is not a Kubernetes quantity")


def bytes_of(text: str) -> int:
    """Return a quantity of memory in whole bytes, rounded up as Kubernetes does."""
    return int(exact(text).to_integral_value(rounding="ROUND_CEILING"))


def memory(count: int) -> str:
    """Return bytes as the shortest quantity that is exact."""
    for suffix in ("Gi", "Mi", "Ki"):
        if count and count % int(_FACTORS[suffix]) == 0:
            return f"{count // int(_FACTORS[suffix])}{suffix}"
    return str(count)


def milli(text: str) -> int:
    """Return a quantity in whole thousandths, rounded up: CPU as Kubernetes counts it."""
    return int((exact(text) * 1000).to_integral_value(rounding="ROUND_CEILING"))


def cpu(thousandths: int) -> str:
    """Return thousandths of a core as the shortest quantity that is exact."""
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def short(count: float) -> str:
    """Return bytes for reading, not exact."""
    size = float(count)
    for suffix in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {suffix}"
        size /= 1024
    return f"{size:.1f} TiB"
