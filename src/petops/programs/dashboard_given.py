"""What the dashboard is given of this machine: faults, questions, health, and postmortems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from petops.config import Settings, state_folder
from petops.domain.evidence import Sample, Series
from petops.domain.incident import Incident
from petops.domain.subject import ClusterName
from petops.errors import PetopsError
from petops.ports import KubernetesCalls
from petops.programs.postmortem import markdown
from petops.tui.given import Fault, Health, Injected, Told

_LOOK_SECONDS: Final = 5.0


@asynccontextmanager
async def _calls(settings: Settings) -> AsyncIterator[tuple[KubernetesCalls, ClusterName]]:
    from petops.app import connected  # noqa: PLC0415 - a second, and only where it is asked for
    from petops.sources.kubernetes_calls import open_calls  # noqa: PLC0415

    cluster = settings.cluster
    async with open_calls(kubeconfig=cluster.kubeconfig, context=cluster.context) as calls:
        yield calls, connected(settings, calls)


class ClusterFaults:
    """`Chaos` on the cluster that is set."""

    def __init__(self, settings: Settings, engine: str) -> None:
        self.engine = engine
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
        from petops.metrics_access import question_server  # noqa: PLC0415
        from petops.programs.asking import ask  # noqa: PLC0415

        async with question_server(self._settings) as server:
            return told(await ask(server, question, None))


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


class Looking:
    """Looks at what petops needs, each with a bound, none stopping another."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def check(self) -> Sequence[Health]:
        """Return how Kubernetes, Prometheus and the queue fare."""
        checks = (self._kubernetes(), self._prometheus())
        return (*await asyncio.gather(*checks), self._queue())

    async def _kubernetes(self) -> Health:
        try:
            async with asyncio.timeout(_LOOK_SECONDS), _calls(self._settings) as (calls, cluster):
                answer = await calls.request("GET", "/version")
            if failure := answer.failure("version"):
                raise failure
        except (PetopsError, TimeoutError) as exc:
            return _bad("kubernetes", exc)
        version = answer.body.get("gitVersion", "?") if isinstance(answer.body, Mapping) else "?"
        return Health(name="kubernetes", ok=True, says=f"{cluster}, version {version}")

    async def _prometheus(self) -> Health:
        prometheus = self._settings.prometheus
        if not prometheus.url:
            where = prometheus.mcp_url or prometheus.mcp_command
            says = f"asked through {where}" if where else "none is set"
            return Health(name="prometheus", ok=None, says=says, hint="set PROMETHEUS_URL")
        from petops.metrics_access import prometheus_client  # noqa: PLC0415

        try:
            async with (
                asyncio.timeout(_LOOK_SECONDS),
                prometheus_client(self._settings) as client,
            ):
                names = await client.metric_names()
        except (PetopsError, TimeoutError) as exc:
            return _bad("prometheus", exc)
        return Health(name="prometheus", ok=True, says=f"{client.where}, {len(names)} metrics")

    def _queue(self) -> Health:
        queue = self._settings.alarms.sqs_queue_url
        if not queue:
            hint = "set PETOPS_SQS_QUEUE_URL, or post alarms to the daemon"
            return Health(name="alarm queue", ok=None, says="none is set", hint=hint)
        return Health(name="alarm queue", ok=None, says=f"{queue}, polled by the engine")


def _bad(name: str, exc: Exception) -> Health:
    if isinstance(exc, PetopsError):
        return Health(name=name, ok=False, says=exc.message, hint=exc.hint or "")
    return Health(name=name, ok=False, says=f"no answer within {_LOOK_SECONDS:g} s")


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
