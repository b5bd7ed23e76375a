"""Makes an approved change, once: by looking before anything is done again, and step by step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from petops.domain import events as ev
from petops.domain.change import DrainNode, Progress, is_stepwise
from petops.engine.surroundings import Surroundings
from petops.errors import (
    DeniedError,
    ForbiddenError,
    NotThereError,
    OutcomeUnknownError,
    PetopsError,
    SourceError,
    StaleError,
)

_SETTLE_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
_STEP_SECONDS: Final = 1.0
_STEPWISE_DEADLINE: Final = timedelta(minutes=5)
_FINAL: Final = (StaleError, DeniedError, ForbiddenError, NotThereError)
"""Refusals that asking again does not change. Every other failure of a source may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What an act under way looks at and tells: who stopped it and why, and how far it is."""

    stopped: Callable[[], str]
    report: Callable[[ev.Event], Awaitable[None]]


class Acting:
    """Everything between an intent and its end."""

    def __init__(self, given: Surroundings) -> None:
        self._given = given

    async def made(self, intent: ev.ActIntended, course: Course) -> ev.Event:
        """Make the change for the first time, or say why it was not made."""
        try:
            await self._given.actuator.apply(intent.change, intent.act)
        except _FINAL as exc:
            return self._failed(intent, exc.message)
        except (OutcomeUnknownError, SourceError):
            return await self.settled(intent, course)
        return await self._went_on(intent, course, settled=False)

    async def settled(
        self, intent: ev.ActIntended, course: Course, *, only_look: bool = False
    ) -> ev.Event:
        """Find out by looking whether the change was made; make it only if it certainly was not.

        What is refused for good ends it; what may pass is tried again until the deadline. An intent
        that has become old, over a long stop, is looked at and no longer made.
        """
        until = self._given.clock.now() + self._given.rules.settle_deadline
        too_late = intent.at + self._given.rules.settle_deadline
        attempt, refused = 0, ""
        while True:
            looked = False
            try:
                if await self._given.actuator.was_applied(intent.change, intent.act):
                    return await self._went_on(intent, course, settled=True)
                looked = True
                if only_look:
                    return self._failed(intent, "petops only observes now, and it was not made")
                if self._given.clock.now() >= too_late:
                    return self._too_late(intent, refused)
                await self._given.actuator.apply(intent.change, intent.act)
            except PetopsError as exc:
                if looked and isinstance(exc, _FINAL):
                    return self._failed(intent, exc.message)
                if not isinstance(exc, OutcomeUnknownError | SourceError):
                    raise
                if self._given.clock.now() >= until:
                    return self._given_up(intent, exc, looked=looked)
                refused = exc.message if looked else refused
            else:
                return await self._went_on(intent, course, settled=False)
            wait = _SETTLE_SECONDS[min(attempt, len(_SETTLE_SECONDS) - 1)]
            attempt += 1
            await self._given.clock.sleep(wait)

    def _too_late(self, intent: ev.ActIntended, refused: str) -> ev.Event:
        if refused:
            return self._failed(intent, f"it was refused until the time was up: {refused}")
        why = f"it was not made, and what was approved at {intent.at:%H:%M:%S}Z is old"
        return self._failed(intent, why)

    def _given_up(self, intent: ev.ActIntended, exc: PetopsError, *, looked: bool) -> ev.Event:
        if looked and not isinstance(exc, OutcomeUnknownError):
            return self._failed(intent, f"it was refused until the time was up: {exc.message}")
        why = f"its outcome could not be found out, look at the object: {exc.message}"
        return self._failed(intent, why)

    def _failed(self, intent: ev.ActIntended, why: str, *, changed: bool = False) -> ev.Event:
        now = self._given.clock.now()
        return ev.ActFailed(at=now, act=intent.act, why=why, changed=changed)

    async def _went_on(self, intent: ev.ActIntended, course: Course, *, settled: bool) -> ev.Event:
        """Go on pod by pod where the change does; it may have been begun by another engine."""
        if is_stepwise(intent.change):
            why = await self._steps(intent, course)
            if why:
                return self._failed(intent, why, changed=True)
        now = self._given.clock.now()
        return ev.RemedyApplied(at=now, act=intent.act, settled=settled)

    async def _steps(self, intent: ev.ActIntended, course: Course) -> str:
        """Do step after step; return why it ended before its end, empty where it did not."""
        until = intent.at + _deadline(intent)
        last = Progress()
        while True:
            if why := course.stopped():
                return f"{why}; {_left(last)}"
            if self._given.clock.now() >= until:
                return f"its deadline passed at {until:%H:%M:%S}Z; {_left(last)}"
            try:
                now = await self._given.actuator.advance(intent.change, intent.act)
            except _FINAL as exc:
                return exc.message
            except (OutcomeUnknownError, SourceError) as exc:
                now = Progress(left=last.left or ("?",), blocked=exc.message)
            if now.done or now.blocked != last.blocked:
                await course.report(
                    ev.ActProgressed(
                        at=self._given.clock.now(),
                        act=intent.act,
                        done=now.done,
                        left=len(now.left),
                        blocked=now.blocked,
                    )
                )
            if now.is_finished:
                return ""
            last = now
            if not now.done or not now.left:
                await self._given.clock.sleep(_STEP_SECONDS)


def _deadline(intent: ev.ActIntended) -> timedelta:
    if isinstance(intent.change, DrainNode):
        return timedelta(seconds=intent.change.deadline_seconds)
    return _STEPWISE_DEADLINE


def _left(progress: Progress) -> str:
    words = f"{len(progress.left)} left: {', '.join(progress.left[:5])}"
    return f"{words}; {progress.blocked}" if progress.blocked else words
