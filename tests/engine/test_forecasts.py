"""What is predicted opens a P4 incident, ends when it no longer is, and gives way to facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from petops.domain import events as ev
from petops.domain.alarm import AlarmState, Category, Priority
from petops.domain.assessment import AssessmentRules, assess
from petops.domain.incident import Board
from petops.errors import SourceError
from petops.programs.forecasting import due
from petops.sources.prometheus_forecast import PrometheusForecast
from tests.engine.test_grouping import Counter
from tests.recorded import CLUSTER
from tests.virtual import BEGAN

POD = {"namespace": "shop", "pod": "cart-1", "container": "app"}
CLAIM = {"namespace": "shop", "persistentvolumeclaim": "data-0"}


class Server:
    """`Caller` that answers the two questions with these series."""

    def __init__(self, memory: list[Any], volumes: list[Any]) -> None:
        self.answers = [memory, volumes]
        self.queries: list[str] = []

    async def call(
        self, tool: str, arguments: Mapping[str, Any], timeout_seconds: float
    ) -> Mapping[str, Any]:
        del tool, timeout_seconds
        self.queries.append(arguments["query"])
        found = self.answers[len(self.queries) - 1]
        return {
            "resultType": "vector",
            "result": [{"metric": one, "value": [0, "1"]} for one in found],
        }


async def test_memory_and_volumes_are_predicted_as_p4() -> None:
    server = Server([POD], [CLAIM])
    memory, volume = await PrometheusForecast(server, CLUSTER, 4).look(BEGAN)
    assert str(memory.subject) == "Pod shop/cart-1"
    assert str(volume.subject) == "PersistentVolumeClaim shop/data-0"
    assert not volume.unmapped
    found = assess(memory, AssessmentRules())
    assert (found.category, found.priority) == (Category.MEMORY, Priority.P4)
    assert all("14400" in query for query in server.queries)


async def test_a_volume_without_a_namespace_is_predicted_of_no_object() -> None:
    (volume,) = await PrometheusForecast(
        Server([], [{"persistentvolumeclaim": "data-0"}]), CLUSTER, 4
    ).look(BEGAN)
    assert volume.subject is None
    assert "data-0" in volume.unmapped


async def test_an_answer_that_is_no_vector_is_a_source_that_failed() -> None:
    class Odd(Server):
        async def call(self, *_: Any, **__: Any) -> Mapping[str, Any]:
            return {"resultType": "matrix", "result": []}

    with pytest.raises(SourceError):
        await PrometheusForecast(Odd([], []), CLUSTER, 4).look(BEGAN)


async def test_a_prediction_is_told_once_and_ended_when_it_is_none_any_more() -> None:
    (alarm,) = await PrometheusForecast(Server([POD], []), CLUSTER, 4).look(BEGAN)
    assert due([alarm], Board(), BEGAN) == (alarm,)
    counter = Counter()
    assert alarm.subject is not None
    opened = counter.report(
        alarm.subject, source=alarm.source, fingerprint=alarm.fingerprint, name=alarm.name
    )
    assert isinstance(opened, ev.IncidentOpened)
    later = BEGAN + timedelta(hours=1)
    assert due([alarm], counter.board, later) == ()
    (over,) = due([], counter.board, later)
    assert (over.state, over.fingerprint) == (AlarmState.OK, alarm.fingerprint)
