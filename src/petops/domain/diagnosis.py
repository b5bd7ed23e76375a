"""What petops believes, on what evidence, and what it did not believe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from petops.domain.evidence import Asked, Unknown
from petops.domain.subject import Kind, Subject


class Weighs(StrEnum):
    """What one row of the ledger says about its hypothesis."""

    FOR = "for"
    AGAINST = "against"
    NOT_MEASURED = "not-measured"


class Verdict(StrEnum):
    """What all rows of one hypothesis say together."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the ledger: what was seen, and what would have spoken against it."""

    mode: str
    step: str
    statement: str
    seen: str
    refuted_if: str
    weighs: Weighs
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakForecast:
    """How fast it leaks, and when the kernel will kill it next.

    Times are None where not computable.
    """

    growth_mib_per_minute: float
    seconds_to_kill: float | None
    next_kill_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one failure mode concludes from the evidence. `confidence` is 0 to 1.

    `began_with_revision` is the running revision where the symptom began with it, `good_revision`
    the one to go back to. `culprit` is the object that a remedy changes where that is not the
    subject. `explains` names the modes whose findings are consequences of this one. `advice` is
    what a person has to do where petops changes nothing.
    """

    mode: str
    verdict: Verdict
    confidence: float
    because: str
    rows: tuple[Row, ...]
    subject: Subject | None = None
    container: str = ""
    forecast: LeakForecast | None = None
    remedies: tuple[str, ...] = ()
    began_with_revision: int | None = None
    good_revision: int | None = None
    culprit: Subject | None = None
    explains: tuple[str, ...] = ()
    advice: str = ""

    @property
    def target(self) -> Subject | None:
        """The object that remedies change."""
        return self.culprit or self.subject

    @property
    def watched(self) -> Subject | None:
        """The object that watches look at: a node in trouble stays the one, whoever caused it."""
        is_node = self.subject is not None and self.subject.kind is Kind.NODE
        return self.subject if is_node else self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The finding that explains the symptom best, its rivals, and the gaps.

    No cause is an answer too. What the cause explains has joined it; `also_broken` are faults that
    it does not explain. `blind` says which monitoring shows nothing that could be relied on.
    """

    cause: Finding | None
    rivals: tuple[Finding, ...] = ()
    gaps: tuple[Unknown, ...] = ()
    because: str = ""
    also_broken: tuple[Finding, ...] = ()
    blind: tuple[str, ...] = ()
