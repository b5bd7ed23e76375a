"""What every source answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from petops.domain.evidence import Asked

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[T_co]):
    """An answer, with the questions that were asked for it."""

    value: T_co
    asked: tuple[Asked, ...]
