"""Who decides, and what holds around a change while it is decided on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person or program, as the channel vouches for it; never as a request claims."""

    user: str
    channel: str
    groups: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.user) and self.user != "system:anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an organisation sets for the engine."""

    window: timedelta = timedelta(hours=3)
    approval_expires: timedelta = timedelta(minutes=30)
    recovery_deadline: timedelta = timedelta(minutes=10)
    lapses_at_most: int = 12
    ask_again_after: tuple[timedelta, ...] = (
        timedelta(seconds=15),
        timedelta(minutes=1),
        timedelta(minutes=5),
    )
    protected_namespaces: frozenset[str] = frozenset({"kube-system", "kube-public"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What guards look at, read just before they do. None is 'could not be found out'."""

    now: datetime
    protected_namespaces: frozenset[str]
    changed_since: str | None
    dry_run_refused: str
    desired_replicas: int
    ready_replicas: int
    unavailable_at_most: int
    disruptions_allowed: int | None
    node_headroom_bytes: int | None
    quota_headroom_bytes: int | None
    acts_last_hour: int
    symptom_present: bool | None
    managed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something may not be done now, and what would lift it."""

    why: str
    lift: str = ""

    def __str__(self) -> str:
        return f"{self.why} ({self.lift})" if self.lift else self.why
