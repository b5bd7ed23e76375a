"""What the dashboard is given of this machine: faults, questions, health, and postmortems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from petops.config import Settings, state_folder
from petops.domain.evidence import Sample, Series
from petops.domain.incident import Incident
from petops.domain.subject import ClusterName
from petops.errors import PetopsError
from petops.ports import KubernetesCalls
from petops.programs.postmortem import markdown
from petops.tui.given import Fault, Injected, Told


@asynccontextmanager
async def _calls(settings: Settings) -> AsyncIterator[tuple[KubernetesCalls, ClusterName]]:
    from petops.app import connected  # noqa: PLC0415 - a second, and only where it is asked for
    from petops.sources.kubernetes_calls import open_calls  # noqa: PLC0415

    cluster = settings.cluster
    async with open_calls(kubeconfig=cluster.kubeconfig, context=cluster.context) as calls:
        yield calls, connected(settings, calls)


class ClusterFaults:
    """`Chaos` on the cluster that is set."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def faults(self) -> Sequence[Fault]:
        """Return what can be injected."""
        from petops.programs import chaos  # noqa: PLC0415
        from petops.scenarios import CATALOGUE  # noqa: PLC0415

        async with _calls(self._settings) as (_, cluster):
            return tuple(
                Fault(name=one.name, summary=one.summary, target=chaos.target(one, cluster))
                for one in CATALOGUE.values()
            )

    async def status(self) -> Sequence[Injected]:
        """Return what is injected now, by the label that each object carries."""
        from petops.programs import chaos  # noqa: PLC0415
        from petops.scenarios.base import EXPIRES_ANNOTATION, SCENARIO_LABEL  # noqa: PLC0415

        async with _calls(self._settings) as (calls, _):
            objects = await chaos.at_work(calls)
        found = []
        for one in objects:
            metadata = one["metadata"]
            ends = metadata.get("annotations", {}).get(EXPIRES_ANNOTATION, "")
            found.append(
                Injected(
                    name=metadata["labels"].get(SCENARIO_LABEL, "?"),
                    target=f"{metadata['namespace']}/{metadata['name']}",
                    expires=_time(ends),
                )
            )
        return tuple(found)

    async def inject(self, name: str) -> str:
        """Inject a fault, for ten minutes at most."""
        from petops.programs import chaos  # noqa: PLC0415
        from petops.scenarios.base import DEFAULT_TTL  # noqa: PLC0415

        scenario = chaos.scenario_named(name)
        async with _calls(self._settings) as (calls, _):
            await chaos.apply(calls, scenario, ttl=DEFAULT_TTL)
        return f"injected {name}; it ends by itself in {DEFAULT_TTL.total_seconds() / 60:g} min"

    async def clean(self, name: str) -> str:
        """Take a fault back."""
        from petops.programs import chaos  # noqa: PLC0415

        scenario = chaos.scenario_named(name)
        async with _calls(self._settings) as (calls, _):
            found = await chaos.remove(calls, scenario)
        return f"{name} is taken back" if found else f"{name} was not injected"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


class Asking:
    """Questions in words, by way of petops' own MCP server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def ask(self, question: str) -> Told:
        """Answer one question."""
        await asyncio.to_thread(_imported)
        from petops.metrics_access import question_server  # noqa: PLC0415
        from petops.programs.asking import ask  # noqa: PLC0415
        from petops.secrets_access import with_secrets  # noqa: PLC0415

        settings = await with_secrets(self._settings, lambda _: None)
        async with question_server(settings) as server:
            return told(await ask(server, question, None))


def _imported() -> None:
    """Import what is heavy where it stalls no screen."""
    import petops.programs.asking  # noqa: PLC0415, F401


def told(answer: Mapping[str, Any]) -> Told:
    """Return an answer of the MCP server as the dashboard shows it."""
    reading = str(answer.get("reading") or "")
    insights = [str(one) for one in answer.get("insights") or ()]
    near = ", ".join(str(one) for one in answer.get("nearest") or ())
    trouble = str(answer.get("error") or "")
    return Told(
        query=str(answer.get("promql") or ""),
        because=". ".join([part for part in (reading, *insights) if part]),
        series=tuple(_series(one) for one in answer.get("result") or ()),
        unit=str(answer.get("unit") or ""),
        trouble=f"{trouble}; nearest: {near}" if trouble and near else trouble,
    )


def _series(found: Mapping[str, Any]) -> Series:
    """Return one series of Prometheus' JSON: a range's `values`, or an instant's `value`."""
    pairs = found.get("values") or ([found["value"]] if found.get("value") else [])
    samples = tuple(
        Sample(at=datetime.fromtimestamp(float(at), UTC), value=float(value)) for at, value in pairs
    )
    labels = {str(name): str(value) for name, value in (found.get("metric") or {}).items()}
    return Series(labels=tuple(sorted(labels.items())), samples=samples)


async def written(incident: Incident) -> str:
    """Write the incident's postmortem, and return where it stands."""
    path = state_folder() / "postmortems" / f"{incident.id}.md"
    try:
        await asyncio.to_thread(_write, path, markdown(incident))
    except OSError as exc:
        raise PetopsError(f"{path} cannot be written: {exc.strerror}") from exc
    return str(path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(text, encoding="utf-8")
