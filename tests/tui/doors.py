"""Fakes of what the dashboard is given beside engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from petops.domain.evidence import Sample, Series
from petops.domain.incident import Incident
from petops.domain.subject import ClusterName, Kind, Subject
from petops.errors import PetopsError, RefusedError
from petops.tui.given import Cause, Fault, Given, Injected, Setting, Told
from tests.tui.scripted import GIVEN, PROPOSED, STORY

AT = STORY[PROPOSED - 1].event.at
TARGET = Subject(
    cluster=ClusterName(name="petops-lab"),
    kind=Kind.DEPLOYMENT,
    namespace="default",
    name="petadoptionshistory-py-leak",
)


@dataclass
class FakeChaos:
    """Two faults, kept in memory."""

    injected: list[str] = field(default_factory=list)
    refuses: bool = False

    async def faults(self) -> Sequence[Fault]:
        return (
            Fault(name="memory-leak", summary="keeps 3 MiB more every second", target=TARGET),
            Fault(name="cpu-throttling", summary="wants more than its limit", target=TARGET),
        )

    async def status(self) -> Sequence[Injected]:
        ends = AT + timedelta(minutes=10)
        return [Injected(name=one, target=str(TARGET), expires=ends) for one in self.injected]

    async def inject(self, name: str) -> str:
        if self.refuses:
            raise RefusedError("namespace default is not labelled for faults", hint="label it")
        self.injected.append(name)
        return f"injected {name}"

    async def clean(self, name: str) -> str:
        self.injected.remove(name)
        return f"{name} is taken back"


async def ask(question: str) -> Told:
    if "nothing" in question:
        raise PetopsError("Prometheus did not answer")
    samples = tuple(Sample(at=AT + timedelta(minutes=n), value=float(n * n)) for n in range(40))
    pods = ("checkout-5d9", "search-77c")
    series = tuple(Series(labels=(("pod", pod),), samples=samples) for pod in pods)
    return Told(query="sum by (pod) (rate(x[5m]))", because="by pod", series=series, unit="B")


async def export(incident: Incident) -> str:
    return f"{incident.id}.md"


def full(chaos: FakeChaos | None = None) -> Given:
    """Return all of it."""
    about = "how far it looks back"
    rows = (
        Setting(name="engine.window_minutes", value="180.0", origin="default", about=about),
        Setting(name="daemon.token", value="********", origin="variable PETOPS_TOKEN", about="key"),
    )
    causes = tuple(
        Cause(name=name, title=title)
        for name, title in (
            ("memory-leak", "a container leaks memory"),
            ("cpu-throttling", "a container wants more CPU than its limit"),
            ("node-memory-pressure", "a node runs out of memory"),
        )
    )
    return replace(
        GIVEN,
        causes=causes,
        ask=ask,
        chaos=chaos or FakeChaos(),
        export=export,
        settings=rows,
        hint="First steps:  :chaos  then  i",
    )
