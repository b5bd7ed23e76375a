"""What an organisation has written down for a failure: shown to people, never obeyed by petops."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from petops.domain.diagnosis import Finding

MOST_CHARACTERS: Final = 20_000
"""What a runbook's text may hold: it stands in the journal with each incident that shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """One page for people, and when it is theirs.

    `modes` are failure modes, `steps` further questions that petops asks where one of them is
    suspected, `remedies` the names that the text speaks of. `namespaces` and `names` are patterns
    of the object at fault. `origin` says where the page comes from.
    """

    name: str
    title: str
    modes: tuple[str, ...]
    steps: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ("*",)
    names: tuple[str, ...] = ("*",)
    text: str = ""
    origin: str = ""

    def is_for(self, cause: Finding) -> bool:
        """Say whether the page is about this cause, at this object."""
        if cause.mode not in self.modes:
            return False
        subject = cause.subject
        if subject is None:
            return True
        return any(fnmatchcase(subject.name, one) for one in self.names) and any(
            fnmatchcase(subject.namespace, one) for one in self.namespaces
        )


def steps_wanted(runbooks: Iterable[Runbook], suspected: Iterable[str]) -> frozenset[str]:
    """Return the names of the steps that the pages of these failure modes want asked."""
    modes = frozenset(suspected)
    return frozenset(step for one in runbooks if modes & set(one.modes) for step in one.steps)
