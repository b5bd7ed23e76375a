"""Sends each incident as a trace to an OpenTelemetry collector, by OTLP over HTTP.

The exporter heeds OpenTelemetry's own variables (headers, timeout, compression). Ids are computed
from the incident: what a replica began, the next one goes on with in the same trace.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from petops import __version__
from petops.daemon.serves import Serves
from petops.domain.events import Entry, IncidentOpened
from petops.domain.incident import Incident, opened
from petops.domain.spans import Span, ended_spans

_BITS_OF_TRACE: Final = 128
_BITS_OF_SPAN: Final = 64
_LAST_SECONDS: Final = 2.0


class IncidentTraces:
    """Spans to a collector; what it does not take within the exporter's time is dropped."""

    def __init__(self, endpoint: str, about: Mapping[str, str]) -> None:
        """`about` is what the daemon says of its cluster: `cluster` and `environment`."""
        self._ids = _GivenIds()
        own = {
            "service.name": "petops",
            "service.version": __version__,
            "k8s.cluster.name": about.get("cluster", ""),
            "deployment.environment.name": about.get("environment", ""),
        }
        # Incidents are few, and each is worth keeping: nothing is sampled.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({key: value for key, value in own.items() if value}).merge(
                OTELResourceDetector().detect()
            ),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        address = f"{endpoint.rstrip('/')}/v1/traces"
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(address)))
        self._tracer = self._provider.get_tracer("petops", __version__)

    def write(self, span: Span) -> None:
        """Queue one span that has ended; nothing is waited for."""
        trace = _number(span.trace, _BITS_OF_TRACE)
        self._ids.trace = trace
        self._ids.span = _number(f"{span.trace}#{span.key}", _BITS_OF_SPAN)
        around = Context()
        if span.parent:
            parent = SpanContext(
                trace_id=trace,
                span_id=_number(f"{span.trace}#{span.parent}", _BITS_OF_SPAN),
                is_remote=True,
                trace_flags=TraceFlags(TraceFlags.SAMPLED),
            )
            around = set_span_in_context(NonRecordingSpan(parent), around)
        written = self._tracer.start_span(
            span.name,
            context=around,
            start_time=_nanoseconds(span.start),
            attributes=dict(span.attributes),
        )
        if span.failed:
            written.set_status(Status(StatusCode.ERROR, span.failed))
        written.end(_nanoseconds(span.end))

    async def close(self) -> None:
        """Send what is queued; it takes no longer than the exporter's own time."""
        await asyncio.to_thread(self._provider.shutdown)


@asynccontextmanager
async def incidents_traced(
    engine: Serves, endpoint: str, about: Mapping[str, str]
) -> AsyncIterator[None]:
    """Send the spans of what happens while the block lasts, the last of it before it is left."""
    board, traces = await engine.board(), IncidentTraces(endpoint, about)
    seen, last, all_seen = board.seq, sys.maxsize, asyncio.Event()

    async def follow() -> None:
        nonlocal seen
        known = dict(board.incidents)
        async for entry in engine.entries(seen):
            before = known.get(entry.incident)
            after = _after(before, entry)
            if after is not None:
                known[entry.incident] = after
                for span in ended_spans(before, after, entry):
                    traces.write(span)
            seen = entry.seq
            if seen >= last:
                all_seen.set()

    following = asyncio.create_task(follow())
    try:
        yield
    finally:
        last = (await engine.board()).seq
        if seen < last:
            with suppress(TimeoutError):
                await asyncio.wait_for(all_seen.wait(), _LAST_SECONDS)
        following.cancel()
        await asyncio.wait({following})
        await traces.close()


def _after(before: Incident | None, entry: Entry) -> Incident | None:
    if before is not None:
        return before.folded(entry)
    return opened(entry) if isinstance(entry.event, IncidentOpened) else None


class _GivenIds(IdGenerator):
    """Gives the ids that were laid out for the next span."""

    def __init__(self) -> None:
        self.trace = self.span = 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


def _number(text: str, bits: int) -> int:
    """Return an id that is the same wherever it is computed, and never 0, which means none."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[: bits // 8], "big") or 1


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
