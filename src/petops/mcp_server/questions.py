"""Answers questions: words to PromQL, the result, and what stands out in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from petops.errors import SourceError
from petops.mcp_server.anomalies import Curve
from petops.mcp_server.asked import Prometheus
from petops.mcp_server.catalogue_reader import CatalogueReader
from petops.mcp_server.insights import curves_of, found_in, none_found, of_instant, of_young
from petops.mcp_server.question import Catalogue, Refused, Translation, translate
from petops.mcp_server.question.catalogue import host
from petops.mcp_server.question.dialect import ROLES
from petops.mcp_server.question.entities import workload_of
from petops.mcp_server.question.intents import Form
from petops.mcp_server.question.quantities import Watched
from petops.mcp_server.question.suggest import suggestions
from petops.mcp_server.question.translate import HISTORY_SECONDS, step_for

YOUNG_POINTS: Final = 12
YOUNG_STEP: Final = 5
YOUNG_SECONDS: Final = 900
_LIMIT_QUESTIONS: Final = {"cores": "cpu limit by pod", "B": "memory limit by pod"}
_WORKLOAD_LABELS: Final = ("workload", *ROLES["service"][:-1], *ROLES["deployment"], *ROLES["hpa"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a question. Where it is refused, `error` says why, and `promql` is None."""

    question: str
    promql: str | None = None
    kind: str | None = None
    start: float | None = None
    end: float | None = None
    step: float | None = None
    reading: str = ""
    unit: str = ""
    result_type: str = ""
    result: Sequence[Mapping[str, Any]] = ()
    insights: tuple[str, ...] = ()
    error: str | None = None
    nearest: tuple[str, ...] = field(default=())


class Questions:
    """Answers questions about one Prometheus."""

    def __init__(self, client: Prometheus) -> None:
        self._client = client
        self._catalogues = CatalogueReader(client)

    async def catalogue(self, now: datetime) -> Catalogue:
        """Return what this Prometheus holds."""
        return await self._catalogues.at(now)

    async def ask(self, question: str, now: datetime) -> Reply:
        """Answer; raise SourceError only where Prometheus cannot be asked."""
        catalogue = await self._with_named(question, now)
        read = translate(question, catalogue, now)
        if isinstance(read, Refused):
            return Reply(question=question, error=read.why, nearest=read.nearest)
        try:
            result_type, result = await self._run(read, now)
        except SourceError as exc:
            return Reply(question=question, error=f"Prometheus did not answer it: {exc.message}")
        if not result and not read.may_be_empty:
            why = f"there is no data for that: {read.reading}"
            return Reply(question=question, error=why, nearest=suggestions(catalogue))
        insights = await self._insights(read, result, catalogue, now)
        return Reply(
            question=question,
            promql=read.promql,
            kind=read.kind,
            start=read.start,
            end=read.end,
            step=read.step,
            reading=read.reading,
            unit=read.unit,
            result_type=result_type,
            result=result,
            insights=tuple(insights),
        )

    async def _with_named(self, question: str, now: datetime) -> Catalogue:
        """Return the catalogue, with the metrics that the question names itself."""
        catalogue = await self._catalogues.at(now)
        for word in question[:1000].split():
            name = word.strip("?.,!\"'()")
            if "_" in name and name in catalogue.names and name not in catalogue.metrics:
                catalogue = await self._catalogues.literal(catalogue, name, now)
        return catalogue

    async def _run(
        self, read: Translation, now: datetime
    ) -> tuple[str, Sequence[Mapping[str, Any]]]:
        if read.kind == "range":
            answered = await self._client.query_range(
                read.promql, f"{read.start:.3f}", f"{read.end:.3f}", f"{read.step:g}"
            )
        else:
            answered = await self._client.query(read.promql, f"{now.timestamp():.3f}")
        data = answered.data
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            raise SourceError("Prometheus answered a query without a result")
        return str(data.get("resultType", "")), data["result"]

    async def _insights(
        self,
        read: Translation,
        result: Sequence[Mapping[str, Any]],
        catalogue: Catalogue,
        now: datetime,
    ) -> list[str]:
        if read.watched:
            return await self._anomalies(read, catalogue, now)
        if not result:
            return ["none: nothing passes that bound"]
        if read.kind == "range":
            curves = curves_of(result, title)
            groups = {
                one.name: workload_of(one.name, catalogue)
                for one in curves
                if one.name in catalogue.pods
            }
            curves = await self._with_limits(curves, read.unit, read.about, now, catalogue)
            return found_in(curves, read.unit, read.about, read.start or 0.0, groups)
        return of_instant(result, read.unit, title)

    async def _anomalies(self, read: Translation, catalogue: Catalogue, now: datetime) -> list[str]:
        """Look at each watched curve, over a longer past than is asked about."""
        end, start = read.end or now.timestamp(), read.start or 0.0
        looked = await asyncio.gather(
            *(self._looked_at(one, start, end, catalogue, now) for one in read.watched)
        )
        found = list(dict.fromkeys(line for lines in looked for line in lines))
        return found or [none_found(read.about, (end - start) / 60)]

    async def _looked_at(
        self, watched: Watched, start: float, end: float, catalogue: Catalogue, now: datetime
    ) -> list[str]:
        begin = min(start, end - HISTORY_SECONDS)
        step = step_for(end - begin)
        answered = await self._client.query_range(
            watched.promql, f"{begin:.3f}", f"{end:.3f}", f"{step}"
        )
        curves = curves_of(answered.data.get("result", ()), title, watched.unit)
        young = {one.name for one in curves if len(one.values) < YOUNG_POINTS}
        curves = [one for one in curves if one.name not in young]
        curves = await self._with_limits(curves, watched.unit, watched.about, now, catalogue)
        if young and watched.unit == "B":
            curves += await self._young(watched, young, end, catalogue, now)
        groups = {
            one.name: workload_of(one.name, catalogue)
            for one in curves
            if one.name in catalogue.pods
        }
        return found_in(curves, watched.unit, watched.about, start, groups)

    async def _young(
        self, watched: Watched, names: set[str], end: float, catalogue: Catalogue, now: datetime
    ) -> list[Curve]:
        """Look closer at curves too young to be judged by their past."""
        answered = await self._client.query_range(
            watched.promql, f"{end - YOUNG_SECONDS:.3f}", f"{end:.3f}", f"{YOUNG_STEP}"
        )
        found = curves_of(answered.data.get("result", ()), title, watched.unit)
        curves = [one for one in found if one.name in names]
        curves = await self._with_limits(curves, watched.unit, watched.about, now, catalogue)
        return of_young(curves, watched.unit)

    async def _with_limits(
        self, curves: list[Curve], unit: str, about: str, now: datetime, catalogue: Catalogue
    ) -> list[Curve]:
        """Return the curves of pods with the limits that they cannot pass."""
        question = _LIMIT_QUESTIONS.get(unit)
        if (
            question is None
            or not any(one.name in catalogue.pods for one in curves)
            or "left" in about
        ):
            return curves
        read = translate(question, catalogue, now)
        if isinstance(read, Refused) or read.meaning is None or read.meaning.form is not Form.LIMIT:
            return curves
        try:
            _, result = await self._run(read, now)
        except SourceError:
            return curves  # insights without limits are still insights
        limits = {title(one["metric"]): float(one["value"][1]) for one in result}
        return [replace(one, limit=limits.get(one.name)) for one in curves]


def title(labels: Mapping[str, str]) -> str:
    """Return what a series is about, by its most telling label."""
    for role in ("pod", "container"):
        for label in ROLES[role]:
            if labels.get(label):
                return labels[label]
    for label in (*_WORKLOAD_LABELS, *ROLES["node"], *ROLES["namespace"], "job"):
        if labels.get(label):
            return host(labels[label])
    return (
        ", ".join(f"{key}={value}" for key, value in labels.items() if key != "__name__")
        or "the total"
    )
