"""Where the simulation plays: its own time, what is due at which moment, the objects, and chance.

Simulated time only moves by `advance`, from one due action to the next, so that what happens
depends on what was asked of the world when, and not on how often somebody looked.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from petops.lab.chance import Chance
from petops.lab.quantities import stamp
from petops.lab.resources import stored
from petops.lab.server_side_apply import Writer, note_update
from petops.lab.store import Json, Key, ObjectStore, Sign, StoreError

Action = Callable[[], None]

API_SERVER: Final = "kube-apiserver"
CONTROLLERS: Final = "kube-controller-manager"
KUBELET: Final = "kubelet"
SCHEDULER: Final = "kube-scheduler"

FAULTS: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    StoreError,
    TypeError,
    ValueError,
)
"""What an object can make a controller raise that nobody has thought of."""


class Stage:
    """One simulation's time and objects."""

    def __init__(self, start: datetime, chance: Chance) -> None:
        self.now = start
        self.chance = chance
        self.store = ObjectStore(lambda: self.now, chance)
        self._due: list[tuple[datetime, int, Action]] = []
        self._order = count()
        self.on_fault: Callable[[Exception], None] | None = None
        """Told of what trips over an object while everything else goes on; None raises it."""
        self.signs = True
        """Whether the lab's own parts enter themselves into `managedFields`: it takes time."""

    def sign(self, manager: str, resource: str, sub: str = "") -> Sign | None:
        """Return what enters one of the lab's parts as the writer of an object."""
        if not self.signs:
            return None

        def enter(before: Json | None, now: Json) -> None:
            at, version = stamp(self.now), stored(resource).api_version
            note_update(
                before,
                now,
                Writer(manager=manager, at=at, api_version=version, subresource=sub),
            )

        return enter

    def create(self, manager: str, resource: str, made: Json) -> Json:
        """Store a new object that one of the lab's parts makes."""
        if (sign := self.sign(manager, resource)) is not None:
            bare = {key: value for key, value in made.items() if key != "status"}
            sign(None, bare)
            reports = self.sign(manager, resource, "status")
            if reports is not None and resource == "nodes":  # which come with what they have
                reports(bare, made)
        return self.store.create(resource, made)

    def edit(
        self,
        manager: str,
        resource: str,
        key: Key,
        change: Callable[[Json], None],
        sub: str = "",
    ) -> Json | None:
        """Let one of the lab's parts change an object; None if it is gone.

        Whoever writes a status (`sub`) writes nothing to the spec.
        """
        sign = self.sign(manager, resource, sub)
        return self.store.edit(resource, *key, change, sign, keeps_spec=sub == "status")

    def write_status(self, manager: str, resource: str, key: Key, status: Json) -> None:
        """Give an object another status; one that it has already costs nothing."""
        found = self.store.find(resource, *key)
        if found is None or found.get("status") == status:
            return

        def write(found: Json) -> None:
            found["status"] = status

        self.edit(manager, resource, key, write, "status")

    def at(self, when: datetime, action: Action) -> None:
        """Let `action` happen at a moment; at once in order where that has passed."""
        heapq.heappush(self._due, (max(when, self.now), next(self._order), action))

    def after(self, seconds: float, action: Action) -> None:
        """Let `action` happen after some seconds."""
        self.at(self.now + timedelta(seconds=seconds), action)

    @property
    def next_due(self) -> datetime | None:
        return self._due[0][0] if self._due else None

    def advance(self, until: datetime) -> None:
        """Let everything happen that is due up to `until`, each at its own moment."""
        while self._due and self._due[0][0] <= until:
            when, _, action = heapq.heappop(self._due)
            self.now = max(self.now, when)
            if self.on_fault is None:
                action()
                continue
            try:
                action()
            except FAULTS as exc:
                self.on_fault(exc)
        self.now = max(self.now, until)
