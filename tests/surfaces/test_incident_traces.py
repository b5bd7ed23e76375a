"""An incident is a trace at a collector that speaks OTLP, and goes on in it after a take-over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Told

from petops import wire
from petops.config import (
    AlarmSettings,
    ClusterSettings,
    DaemonSettings,
    JournalSettings,
    Settings,
)
from petops.daemon.otel import incidents_traced
from petops.domain import events as ev
from petops.domain.events import Entry
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest, ReportAlarm
from petops.domain.spans import Span, ended_spans
from petops.programs.daemon import serving
from tests.surfaces.small_engine import alarm
from tests.surfaces.test_attach_kubernetes import KUBECONFIG

pytestmark = pytest.mark.slow

BOTH_ROUNDS = tuple(
    wire.entry_from_json(line)
    for line in (Path(__file__).parents[1] / "tui/leak.jsonl").read_text("utf-8").splitlines()
)
STORY = tuple(one for one in BOTH_ROUNDS if one.seq <= 20)  # up to its first end
SECOND = 1_000_000_000
ANA = Identity(user="ana", channel="socket")


class Collector:
    """The least that takes OTLP over HTTP."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == "/v1/traces"
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def spans(self) -> list[Told]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


class Recorded:
    """An engine whose journal has these entries, of which some stand there already."""

    def __init__(self, *stand: Entry) -> None:
        self._entries = list(stand)

    async def board(self) -> Board:
        return Board().after(*self._entries)

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        while True:
            for one in [one for one in self._entries if one.seq > after]:
                after = one.seq
                yield one
            await asyncio.sleep(0.001)

    async def submit(self, request: AnyRequest, by: Identity) -> Entry:
        raise AssertionError(f"{by.user} asks {request}: traces only read")

    def happen(self, *entries: Entry) -> None:
        self._entries += entries


async def traced(url: str, *entries: Entry, stood: int = 0) -> None:
    """Follow a journal as one process would, from its start to its end."""
    engine = Recorded(*entries[:stood])
    async with incidents_traced(engine, url, {"cluster": "pets", "environment": "staging"}):
        engine.happen(*entries[stood:])


def attributes(span: Told) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


async def test_an_incident_is_one_trace_with_its_stages_and_steps(collector: Collector) -> None:
    await traced(collector.url, *STORY)
    spans = {one.name: one for one in collector.spans}
    assert len({one.trace_id for one in collector.spans}) == 1
    root = spans["incident"]
    assert root.parent_span_id == b""
    said = attributes(root)
    assert said["petops.incident"] == "INC-0001"
    assert said["petops.phase"] == "mitigated"
    for stage in ("detect", "investigate", "decide", "act", "recover"):
        assert spans[stage].parent_span_id == root.span_id, stage
        assert root.start_time_unix_nano <= spans[stage].start_time_unix_nano
        assert spans[stage].end_time_unix_nano <= root.end_time_unix_nano
    answered = [one.event for one in STORY if isinstance(one.event, ev.StepAnswered)]
    steps = [one for one in collector.spans if one.parent_span_id == spans["investigate"].span_id]
    assert {one.answer.step for one in answered} <= {one.name for one in steps}
    memory = next(one for one in answered if one.answer.seconds > 0.01)
    span = spans[memory.answer.step]
    length = (span.end_time_unix_nano - span.start_time_unix_nano) / SECOND
    assert length == pytest.approx(memory.answer.seconds, abs=0.01)


async def test_the_next_process_goes_on_in_the_same_trace(collector: Collector) -> None:
    half = len(STORY) // 2
    await traced(collector.url, *STORY[:half])
    begun = len(collector.spans)
    await traced(collector.url, *STORY, stood=half)
    assert 0 < begun < len(collector.spans)
    assert len({one.trace_id for one in collector.spans}) == 1
    assert len({one.span_id for one in collector.spans}) == len(collector.spans)


async def test_what_is_opened_again_is_a_trace_of_its_own(collector: Collector) -> None:
    await traced(collector.url, *BOTH_ROUNDS)
    rounds = {one.trace_id for one in collector.spans}
    assert len(rounds) == 2
    investigations = [one for one in collector.spans if one.name == "investigate"]
    assert {one.trace_id for one in investigations} == rounds


async def test_the_process_tells_its_cluster_and_variables_come_first(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=on-call,team=shop")
    await traced(collector.url, *STORY)
    resource = collector.requests[0].resource_spans[0].resource
    found = {one.key: one.value.string_value for one in resource.attributes}
    assert found["service.name"] == "on-call"
    assert found["team"] == "shop"
    assert found["k8s.cluster.name"] == "pets"
    assert found["deployment.environment.name"] == "staging"


async def test_the_daemon_sends_what_it_does(collector: Collector, tmp_path: Path) -> None:
    nobody_listens = tmp_path / "kubeconfig"
    nobody_listens.write_text(KUBECONFIG.format(url="http://127.0.0.1:9"), encoding="ascii")
    settings = Settings(
        journal=JournalSettings(path=str(tmp_path / "journal.db")),
        cluster=ClusterSettings(kubeconfig=str(nobody_listens), name="pets"),
        alarms=AlarmSettings(forecast_minutes=0),
        daemon=DaemonSettings(otlp_endpoint=collector.url),
    )
    async with serving(settings, lambda _: None, http=False) as served:
        engine = served.running.engine
        await engine.submit(ReportAlarm(id="one", alarm=alarm()), ANA)
        async for entry in engine.entries(0):
            if isinstance(entry.event, ev.Diagnosed):
                break
    assert {"detect", "investigate"} <= {one.name for one in collector.spans}


async def test_a_collector_that_is_away_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    await traced("http://127.0.0.1:9", *STORY)


def test_no_text_that_somebody_wrote_is_in_a_span() -> None:
    board, spans = Board(), list[Span]()
    for entry in STORY:
        before = board.incident(entry.incident)
        board = board.after(entry)
        after = board.incident(entry.incident)
        spans += ended_spans(before, after, entry) if after else ()
    found = {key for span in spans for key in span.attributes}
    assert found == {
        *("petops.incident", "petops.phase", "petops.category", "petops.priority"),
        *("petops.alarms", "petops.cause", "petops.confidence", "petops.steps"),
        *("petops.steps.unknown", "petops.sources", "petops.decision", "petops.channel"),
        *("petops.change", "k8s.service.name", "k8s.namespace.name"),
        *("petops.cause.k8s.deployment.name", "petops.cause.k8s.namespace.name"),
    }
