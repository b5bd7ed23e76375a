"""What the daemon is made of: an embedded engine's limits, and its log as JSON lines."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator

import pytest

from petops.config import AlarmSettings, DaemonSettings, Settings
from petops.domain import events as ev
from petops.domain.events import Entry
from petops.programs.daemon import Beside, embedded_only
from petops.programs.logging_json import JsonLines, logged
from tests.surfaces.small_engine import NOW


@pytest.mark.parametrize(
    ("queue", "kept"),
    [
        ("https://sqs.us-east-1.amazonaws.com/111122223333/alarms", False),
        ("http://10.0.0.7/111122223333/alarms", False),
        ("http://127.0.0.1:4566/111122223333/alarms", True),
        ("", False),
    ],
)
def test_an_engine_on_a_laptop_receives_from_no_shared_queue(queue: str, kept: bool) -> None:
    settings = Settings(
        alarms=AlarmSettings(sqs_queue_url=queue), daemon=DaemonSettings(lease="a/b")
    )
    found = embedded_only(settings)
    assert bool(found.alarms.sqs_queue_url) is kept
    assert (found.alarms.forecast_minutes, found.daemon.lease) == (0.0, "")


async def test_each_entry_is_a_line_of_json_with_its_incident(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def entries() -> AsyncIterator[Entry]:
        noted = ev.Noted(at=NOW, text="line one\nline two \x1b[31m ü")
        yield Entry(seq=7, incident="INC-0001", number=1, event=noted)
        yield Entry(seq=8, incident=ev.NO_INCIDENT, number=1, event=noted)

    with caplog.at_level(logging.INFO, logger="petops.daemon"):
        await logged(entries())
    lines = [JsonLines().format(record) for record in caplog.records]
    assert all("\n" not in line for line in lines)
    first, second = (json.loads(line) for line in lines)
    assert (first["incident"], first["seq"], first["event"]) == ("INC-0001", 7, "noted")
    assert second["incident"] is None
    assert first["at"].endswith("Z")


def test_what_runs_beside_the_engine_is_told_in_gauges() -> None:
    found = Beside(leads=False)()
    assert found["leading"][1] == 0.0
    assert "queue_lag_seconds" not in found
