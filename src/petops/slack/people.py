"""Who somebody of Slack is in Kubernetes, and whether they may speak to petops at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from petops.domain.policy import Identity, Person
from petops.errors import PetopsError, UsageError
from petops.slack.calls import AwayError, LimitedError, Slack, TurnedDownError
from petops.slack.incoming import Who

CHANNEL: Final = "slack"
_KNOWN_FOR: Final = timedelta(minutes=5)
_MOST_KNOWN: Final = 2000
_EXAMPLE: Final = "slack.people = ['U0123456789=ana@example.com'], or a [[person]] table"


class NotYouError(PetopsError):
    """Somebody who may not do this; the message is for them alone."""


def mapped(pairs: Iterable[str]) -> tuple[Person, ...]:
    """Return `slack.people` as people: `U…=kubernetes-user`."""
    found = []
    for pair in pairs:
        user, equals, account = (part.strip() for part in pair.partition("="))
        if not equals or not account or user[:1] not in {"U", "W"} or not user.isalnum():
            raise UsageError(f"{pair[:60]!r} maps nobody", hint=f"for example: {_EXAMPLE}")
        found.append(Person(user=user, channel=CHANNEL, kubernetes_user=account))
    return tuple(found)


def as_identity(user: str, people: Sequence[Person]) -> Identity | None:
    """Return who decides: the Kubernetes user that settings map somebody of Slack to."""
    by = Identity(user=user, channel=CHANNEL)
    person = next((one for one in people if one.is_(by)), None)
    if person is None:
        return None
    return Identity(user=person.kubernetes_user or user, channel=CHANNEL)


@dataclass(slots=True)
class People:
    """Knows who may speak to petops here; what Slack says of somebody holds for five minutes."""

    slack: Slack
    team: str
    people: Sequence[Person]
    now: Callable[[], datetime]
    _known: dict[str, tuple[datetime, Mapping[str, Any]]] = field(default_factory=dict)

    async def member(self, who: Who) -> None:
        """Raise NotYouError for who is of another workspace, a guest, or no longer active."""
        if who.team != self.team:
            raise NotYouError("This petops belongs to another Slack workspace.")
        about = await self._about(who.user)
        if about.get("deleted"):
            raise NotYouError("Your Slack account is deactivated.")
        if about.get("is_bot"):
            raise NotYouError("Programs decide nothing here: a person has to.")
        if about.get("is_restricted") or about.get("is_ultra_restricted"):
            raise NotYouError("Guests of this workspace may not use petops.")
        if about.get("is_stranger") or about.get("team_id", self.team) != self.team:
            raise NotYouError("This petops belongs to another Slack workspace.")

    async def identity(self, who: Who) -> Identity:
        """Return who decides; raise NotYouError for who may not."""
        await self.member(who)
        found = as_identity(who.user, self.people)
        if found is None:
            raise NotYouError(
                f"petops does not know who you are in Kubernetes: nobody is mapped to {who.user}.",
                hint=_EXAMPLE,
            )
        return found

    async def _about(self, user: str) -> Mapping[str, Any]:
        known = self._known.get(user)
        if known is not None and known[0] > self.now() - _KNOWN_FOR:
            return known[1]
        try:
            answer = await self.slack.call("users.info", user=user)
        except TurnedDownError as exc:
            raise NotYouError(f"Slack does not say who you are ({exc.code}).") from exc
        except (AwayError, LimitedError) as exc:
            raise NotYouError(
                "Slack did not say in time whether your account is active. Press again."
            ) from exc
        found: Mapping[str, Any] = answer.get("user") or {}
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[user] = (self.now(), found)
        return found
