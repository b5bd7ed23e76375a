"""Who leads: a Lease of coordination.k8s.io/v1, whose token rises at every acquisition.

No two clocks are compared: whoever waits counts on its own clock how long the record has stood
unchanged. Who cannot renew in time stops leading before anybody else can begin.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from petops.errors import PetopsError, SourceError
from petops.ports import ApiAnswer, Clock, KubernetesCalls

Json = Any

ADDRESS: Final = "petops.dev/address"
_CONFLICT: Final = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How a Lease is held: renewed often, given up before it runs out for others."""

    lasts: float = 8.0
    renew_every: float = 2.0
    give_up_after: float = 5.0
    look_every: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A Lease in hand: its token, and `lost`, which is set once it is in hand no more."""

    token: int
    lost: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """Who holds the Lease, and where it serves."""

    name: str
    address: str


class KubernetesLease:
    """One Lease, as one replica sees it."""

    def __init__(
        self,
        calls: KubernetesCalls,
        *,
        namespace: str,
        name: str,
        holder: str,
        address: str,
        clock: Clock,
        timing: Timing | None = None,
    ) -> None:
        self._calls = calls
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name, self._namespace = name, namespace
        self._holder, self._address = holder, address
        self._clock = clock
        self._timing = timing or Timing()
        self._seen: tuple[str, datetime] = ("", clock.now())
        self.leader: Leader | None = None

    @asynccontextmanager
    async def held(
        self, say: Callable[[str], None], floor: Callable[[], Awaitable[int]] | None = None
    ) -> AsyncIterator[Held]:
        """Wait until this replica leads, and keep leading for as long as the block lasts.

        `floor` is the journal's latest token: a Lease that was made anew goes on above it.
        """
        held = Held(token=await self._acquired(say, floor))
        renewing = asyncio.create_task(self._renewing(held, say))
        try:
            yield held
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})
            if not held.lost.is_set():
                with suppress(PetopsError, TimeoutError):
                    await self._released(held)

    async def _acquired(
        self, say: Callable[[str], None], floor: Callable[[], Awaitable[int]] | None
    ) -> int:
        told = ""
        while True:
            try:
                async with asyncio.timeout(self._timing.give_up_after):
                    lowest = await floor() if floor else 0
                    token = await self._tried(lowest)
            except (PetopsError, TimeoutError) as exc:
                why = exc.message if isinstance(exc, PetopsError) else "no answer in time"
                if why != told:
                    say(f"the Lease {self._name} cannot be asked for: {why}; petops keeps trying")
                    told = why
            else:
                if token:
                    return token
            await self._clock.sleep(self._timing.look_every * random.uniform(0.7, 1.0))  # noqa: S311

    async def _tried(self, floor: int) -> int:
        """Take the Lease if it is free; return its token, 0 where another holds it."""
        found = await self._read()
        if found is None:
            token = max(1, floor + 1)
            answer = await self._calls.request("POST", self._folder, body=self._made(token, None))
            return token if self._is_ours(answer) else 0
        spec = found.get("spec") or {}
        if not self._is_free(found):
            return 0
        token = max(int(spec.get("leaseTransitions") or 0) + 1, floor + 1)
        answer = await self._calls.request("PUT", self._path, body=self._made(token, found))
        return token if self._is_ours(answer) else 0

    def _is_free(self, found: Json) -> bool:
        """Say whether nobody holds it: given back, or unchanged for longer than it lasts."""
        spec, now = found.get("spec") or {}, self._clock.now()
        version = str(found["metadata"].get("resourceVersion"))
        if version != self._seen[0]:
            self._seen = (version, now)
        notes = found["metadata"].get("annotations") or {}
        holder = str(spec.get("holderIdentity") or "")
        self.leader = Leader(name=holder, address=notes.get(ADDRESS, "")) if holder else None
        if not holder:
            return True
        lasts = float(spec.get("leaseDurationSeconds") or self._timing.lasts)
        return (now - self._seen[1]).total_seconds() >= lasts

    async def _renewing(self, held: Held, say: Callable[[str], None]) -> None:
        """Renew until that fails for too long; then the Lease is lost."""
        renewed = self._clock.now()
        while True:
            await self._clock.sleep(self._timing.renew_every)
            left = self._timing.give_up_after - (self._clock.now() - renewed).total_seconds()
            why = "it could not be renewed in time"
            if left > 0:
                try:
                    async with asyncio.timeout(left):
                        if await self._renewed(held.token):
                            renewed = self._clock.now()
                            continue
                        why, left = "another replica has it", 0
                except (PetopsError, TimeoutError):
                    left = (
                        self._timing.give_up_after - (self._clock.now() - renewed).total_seconds()
                    )
            if left <= 0:
                say(f"the Lease {self._name} is lost: {why}; this replica leads no more")
                held.lost.set()
                return

    async def _renewed(self, token: int) -> bool:
        """Renew the Lease; False where it is another's by now."""
        found = await self._read()
        if found is None or not self._has(found, token):
            return False
        answer = await self._calls.request("PUT", self._path, body=self._made(token, found))
        if answer.status == _CONFLICT:
            return await self._renewed(token)
        return self._is_ours(answer)

    async def _released(self, held: Held) -> None:
        """Give the Lease back, so that the next one need not wait."""
        async with asyncio.timeout(self._timing.renew_every):
            found = await self._read()
            if found is None or not self._has(found, held.token):
                return
            body = self._made(held.token, found)
            body["spec"]["holderIdentity"] = ""
            await self._calls.request("PUT", self._path, body=body)

    def _has(self, found: Json, token: int) -> bool:
        spec = found.get("spec") or {}
        ours = spec.get("holderIdentity") == self._holder
        return bool(ours and spec.get("leaseTransitions") == token)

    @property
    def _path(self) -> str:
        return f"{self._folder}/{self._name}"

    async def _read(self) -> Json | None:
        answer = await self._calls.request("GET", self._path)
        if answer.status == 404:
            return None
        failure = answer.failure(f"Lease {self._namespace}/{self._name}")
        if failure is not None:
            raise failure
        if not isinstance(answer.body, Mapping) or "metadata" not in answer.body:
            raise SourceError("what answers for Kubernetes is no API server")
        return answer.body

    def _is_ours(self, answer: ApiAnswer) -> bool:
        """Say whether the write was taken; another's that was first is no failure."""
        if answer.status == _CONFLICT:
            return False
        failure = answer.failure(f"Lease {self._namespace}/{self._name}")
        if failure is not None:
            raise failure
        self.leader = Leader(name=self._holder, address=self._address)
        return True

    def _made(self, token: int, found: Json | None) -> Json:
        """Return the Lease as it is to be; its resourceVersion keeps two from taking it."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata: dict[str, Any] = {"name": self._name, "namespace": self._namespace}
        since = now
        if found is not None:
            metadata = dict(found["metadata"])
            spec = found.get("spec") or {}
            if spec.get("leaseTransitions") == token:
                since = spec.get("acquireTime") or now
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ADDRESS: self._address}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._holder,
                "leaseDurationSeconds": round(self._timing.lasts),
                "acquireTime": since,
                "renewTime": now,
                "leaseTransitions": token,
            },
        }
