"""Measures the dashboard, and prints the figures as JSON.

First paint on an engine behind a real socket; a key's way to the screen with 1,000 incidents while
100 entries come a second; the share of a core then; memory after an hour's entries; frames while
10,000 lines scroll.
"""

from __future__ import annotations

import asyncio
import json
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from textual.app import App
from textual.events import Key
from textual.pilot import Pilot

from petops.daemon.server import SocketOwner, serve_socket, server
from petops.domain import events as ev
from petops.domain.alarm import Alarm, AlarmSource, AlarmState, Assessment, Category, Priority
from petops.domain.events import Entry
from petops.domain.evidence import Answer
from petops.domain.incident import Board
from petops.domain.policy import Identity
from petops.domain.requests import AnyRequest
from petops.domain.subject import ClusterName, Kind, Subject
from petops.domain.traces import LogLine
from petops.domain.tracing import LogExcerpt
from petops.programs.telling import summary, told
from petops.remote import connected
from petops.tui.app import Dashboard
from petops.tui.desk import Desk
from petops.tui.feed import Feed
from petops.tui.given import Given
from petops.tui.kept import Kept
from petops.tui.times import Times
from petops.tui.widgets.row_list import RowList

INCIDENTS = 1_000
ENTRIES_A_SECOND = 100
LINES = 10_000
SECONDS = 12.0
HOUR = 3_600
SIZE = (120, 40)
BEGAN = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
CLUSTER = ClusterName(name="bench")
BY = Identity(user="bench", channel="socket")


def alarm(number: int, change: int) -> Alarm:
    """Return a change of state of one of the alarms."""
    name = f"service-{number:04d}"
    subject = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="shop", name=name)
    return Alarm(
        name=f"{name}-memory",
        source=AlarmSource.CLOUDWATCH,
        fingerprint=name,
        event_id=f"{name}-{change}",
        state=AlarmState.ALARM if change % 2 == 0 else AlarmState.OK,
        cluster=CLUSTER,
        started_at=BEGAN,
        subject=subject,
        text="Threshold crossed: one datapoint was greater than the threshold.",
    )


def opening(number: int) -> ev.IncidentOpened:
    """Return what opens an incident."""
    priority = list(Priority)[number % 4]
    found = Assessment(category=Category.MEMORY, priority=priority, because="by its metric")
    at = BEGAN + timedelta(seconds=number)
    return ev.IncidentOpened(at=at, alarm=alarm(number, 0), assessment=found)


class Busy:
    """An engine in memory whose journal grows as fast as it is told to."""

    def __init__(self, incidents: int) -> None:
        entries = [
            Entry(seq=one, incident=f"INC-{one:04d}", number=1, event=opening(one))
            for one in range(1, incidents + 1)
        ]
        self._board = Board().after(*entries)
        self._numbers = dict.fromkeys(range(1, incidents + 1), 1)
        self._seq = incidents
        self._queue: asyncio.Queue[Entry] = asyncio.Queue()

    async def board(self) -> Board:
        """Return the board as it was at the start."""
        return self._board

    async def entries(self, after: int) -> AsyncIterator[Entry]:
        """Follow."""
        del after
        while True:
            yield await self._queue.get()

    async def submit(self, request: AnyRequest, by: Identity | None = None) -> Entry:
        """Refuse: nothing is decided here."""
        del by
        refused = ev.RequestRefused(
            at=BEGAN, request=request.id, by=BY, asked="-", why="a benchmark"
        )
        return Entry(seq=self._seq + 1, incident=ev.NO_INCIDENT, number=1, event=refused)

    def grow(self) -> None:
        """Put one more entry into the journal."""
        self._seq += 1
        incident = self._seq % len(self._numbers) + 1
        self._numbers[incident] += 1
        number = self._numbers[incident]
        joined = ev.AlarmJoined(
            at=BEGAN + timedelta(seconds=self._seq / ENTRIES_A_SECOND),
            alarm=alarm(incident, number),
            because="the same alarm",
        )
        entry = Entry(seq=self._seq, incident=f"INC-{incident:04d}", number=number, event=joined)
        self._queue.put_nowait(entry)

    def answer(self, answer: Answer) -> None:
        """Let a step of the first incident have answered."""
        self._seq += 1
        self._numbers[1] += 1
        event = ev.StepAnswered(at=BEGAN, answer=answer)
        entry = Entry(seq=self._seq, incident="INC-0001", number=self._numbers[1], event=event)
        self._board = self._board.after(entry)

    @property
    def waiting(self) -> int:
        """How many entries nobody has taken yet."""
        return self._queue.qsize()


def dashboard(handle: Any) -> Dashboard:
    """Return a dashboard on one engine."""

    def now() -> datetime:
        return datetime.now(UTC)

    desk = Desk(
        feeds=[Feed("bench", handle, now)],
        given=Given(tell=told, summarise=summary),
        kept=Kept(None),
        times=Times(zone=UTC),
        now=now,
    )
    return Dashboard(desk)


@asynccontextmanager
async def on_socket(engine: Busy) -> AsyncIterator[Any]:
    """Serve an engine on a Unix socket, and connect to it."""
    with tempfile.TemporaryDirectory(prefix="petops-bench-") as folder:
        owner = SocketOwner(BY)
        async with (
            serve_socket(server(engine, owner, {}), Path(folder) / "s") as path,
            connected(path) as remote,
        ):
            yield remote


async def first_paint() -> dict[str, float]:
    """Return the seconds from a fresh process to the first rows, on an engine behind a socket."""
    program = (
        "import asyncio, sys, time; began = time.perf_counter(); "
        "sys.path.insert(0, sys.argv[2]); from benchmarks.tui import painted; "
        "asyncio.run(painted(sys.argv[1], began))"
    )
    took = []
    with tempfile.TemporaryDirectory(prefix="petops-bench-") as folder:
        engine = Busy(INCIDENTS)
        async with serve_socket(server(engine, SocketOwner(BY), {}), Path(folder) / "s") as path:
            root = str(Path(__file__).parents[1])
            for _ in range(5):
                child = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", program, str(path), root),
                    stdout=asyncio.subprocess.PIPE,
                )
                out, _ = await child.communicate()
                took.append(float(out.split()[-1]))
    return {"median": statistics.median(took), "max": max(took)}


async def _alone(name: str) -> Any:
    """Run one of the measurements in a process of its own, and return its figures."""
    program = (
        "import asyncio, json, sys; sys.path.insert(0, sys.argv[1]); "
        "from benchmarks import tui; "
        f"print(json.dumps(asyncio.run(tui.{name}())))"
    )
    root = str(Path(__file__).parents[1])
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, root), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    return json.loads(out.splitlines()[-1])


async def painted(path: str, began: float) -> None:
    """Print how long it took until rows were drawn."""
    async with connected(Path(path)) as remote:
        app = dashboard(remote)
        async with app.run_test(size=SIZE) as pilot:
            while not _rows(app):
                await pilot.pause(0.005)
            await pilot.pause()
            sys.stdout.write(f"{time.perf_counter() - began:.3f}\n")


def _rows(app: App[Any]) -> int:
    found = app.screen.query("#board-rows")
    return len(found.first(RowList).rows) if found else 0


async def key_to_paint() -> dict[str, float]:
    """Return how long a key takes until the screen is drawn, under load, and the load itself."""
    engine = Busy(INCIDENTS)
    async with on_socket(engine) as remote:
        app = dashboard(remote)
        async with app.run_test(size=SIZE) as pilot:
            while not _rows(app):
                await pilot.pause(0.02)
            stop = asyncio.Event()
            growing = asyncio.create_task(_growing(engine, stop))
            cpu, wall = time.process_time(), time.perf_counter()
            took = await _keys(pilot, SECONDS)
            share = (time.process_time() - cpu) / (time.perf_counter() - wall)
            cpu, wall = time.process_time(), time.perf_counter()
            await asyncio.sleep(SECONDS / 2)
            idle = (time.process_time() - cpu) / (time.perf_counter() - wall)
            stop.set()
            await growing
    return {
        "p50_ms": _share(took, 0.5) * 1000,
        "p95_ms": _share(took, 0.95) * 1000,
        "max_ms": max(took) * 1000,
        "keys": float(len(took)),
        "core_share_with_keys_and_engine": share,
        "core_share_with_engine": idle,
    }


async def _growing(engine: Busy, stop: asyncio.Event) -> None:
    began, made = time.perf_counter(), 0
    while not stop.is_set():
        due = int((time.perf_counter() - began) * ENTRIES_A_SECOND)
        for _ in range(due - made):
            engine.grow()
        made = due
        await asyncio.sleep(0.01)


async def _keys(pilot: Pilot[None], seconds: float) -> list[float]:
    """Press a key every 60 ms, each timed until the list has drawn the row it moved to."""
    app = pilot.app
    rows = app.screen.query_one("#board-rows", RowList)
    took, began, keys = [], time.perf_counter(), _back_and_forth()
    while time.perf_counter() - began < seconds:
        drawn = asyncio.Event()
        with _watched(rows, drawn.set):
            at = time.perf_counter()
            _type(app, next(keys))
            await asyncio.wait_for(drawn.wait(), 5)
            took.append(time.perf_counter() - at)
        await asyncio.sleep(0.06)
    return took


def _type(app: App[Any], key: str) -> None:
    """Hand a key to the app as the terminal's driver does."""
    driver = app._driver
    assert driver is not None  # noqa: S101
    event = Key(key, key if len(key) == 1 else None)
    event.set_sender(app)
    driver.send_message(event)


def _back_and_forth() -> Iterator[str]:
    while True:
        yield from ["j"] * 60
        yield from ["pagedown"] * 5
        yield from ["k"] * 60
        yield from ["pageup"] * 5


class _watched:  # noqa: N801 - reads as a word where it is used
    """Calls `then` once the list's cursor has moved and the terminal was given the new picture."""

    def __init__(self, rows: RowList, then: Callable[[], None]) -> None:
        self._rows = rows
        self._then = then
        self._drawn = False

    def __enter__(self) -> None:
        app, rows, before = self._rows.app, self._rows, self._rows.cursor_row
        render_line, display = type(rows).render_line, type(app)._display

        def rendered(y: int) -> Any:
            self._drawn = self._drawn or rows.cursor_row is not before
            return render_line(rows, y)

        def displayed(screen: Any, renderable: Any) -> None:
            display(app, screen, renderable)
            if self._drawn:
                self._then()

        rows.render_line = rendered  # type: ignore[method-assign]
        app._display = displayed  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        del self._rows.render_line
        del self._rows.app._display


async def an_hour() -> dict[str, float]:
    """Return the memory of this process before and after an hour's entries have been folded."""
    engine = Busy(INCIDENTS)
    app = dashboard(_Embedded(engine))
    async with app.run_test(size=SIZE) as pilot:
        while not _rows(app):
            await pilot.pause(0.02)
        before = _resident_mib()
        began = time.perf_counter()
        for _ in range(HOUR):
            for _ in range(ENTRIES_A_SECOND):
                engine.grow()
            while engine.waiting:  # noqa: ASYNC110 - the feed takes them in the same loop
                await asyncio.sleep(0)
        await pilot.pause(0.3)
        return {
            "entries": float(HOUR * ENTRIES_A_SECOND),
            "seconds": time.perf_counter() - began,
            "before_mib": before,
            "after_mib": _resident_mib(),
        }


class _Embedded:
    """`EngineHandle` on an engine in this process."""

    def __init__(self, engine: Busy) -> None:
        self._engine = engine
        self.board = engine.board
        self.entries = engine.entries
        self.submit = engine.submit


def _resident_mib() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if platform.system() == "Darwin" else 1024)


async def scrolling() -> dict[str, dict[str, float]]:
    """Return how long a frame takes while 10,000 entries, and 10,000 log lines, scroll by."""
    engine = Busy(1)
    engine.answer(log_lines(LINES))
    for _ in range(LINES):
        engine.grow()
    app = dashboard(_Embedded(engine))
    async with app.run_test(size=SIZE) as pilot:
        while not _rows(app):
            await pilot.pause(0.02)
        while engine.waiting:
            await pilot.pause(0.02)
        app.desk.feeds[0].pinned.add("INC-0001")
        await pilot.press("enter", "f")
        return {name: await _scrolled(pilot, key, name) for key, name in _SCROLLED}


_SCROLLED = (("4", "timeline"), ("7", "logs"))


async def _scrolled(pilot: Pilot[None], key: str, name: str) -> dict[str, float]:
    await pilot.press(key)
    await pilot.pause(0.5)
    rows = pilot.app.screen.query_one(f"#{name}", RowList)
    took = []
    for number in range(300):
        at = time.perf_counter()
        rows.scroll_to(y=number * 31 % max(1, rows.virtual_size.height), animate=False)
        drawn = asyncio.Event()
        rows.call_after_refresh(drawn.set)
        await drawn.wait()
        took.append(time.perf_counter() - at)
    return {
        "lines": float(len(rows.rows)),
        "p50_ms": _share(took, 0.5) * 1000,
        "p95_ms": _share(took, 0.95) * 1000,
    }


def log_lines(count: int) -> Answer:
    """Return what a step answered that read so many lines of a log."""
    lines = tuple(
        LogLine(
            at=BEGAN + timedelta(milliseconds=number),
            pod="service-0001-7d9c5-x2x4k",
            container="service",
            text=f"ERROR charge timed out after {number} ms, order {number * 7919}",
        )
        for number in range(count)
    )
    fact = LogExcerpt(around=BEGAN, lines=lines)
    return Answer(step="log-lines", fact=fact, asked=(), seconds=0.1)


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def measured() -> dict[str, Any]:
    """Return all figures; each part in a process of its own, so that none carries another."""
    return {
        "first_paint_seconds": await first_paint(),
        "key_to_paint": await _alone("key_to_paint"),
        "scrolling": await _alone("scrolling"),
        "memory": await _alone("an_hour"),
    }


if __name__ == "__main__":
    figures = asyncio.run(measured())
    limits = {
        "first_paint_seconds": 1.0,
        "key_to_paint_p95_ms": 50.0,
        "core_share": 0.4,
        "after_mib": 150.0,
        "scrolling_p95_ms": 33.0,
    }
    sys.stdout.write(json.dumps({"figures": figures, "limits": limits}, indent=2) + "\n")
    keys, scrolled = figures["key_to_paint"], figures["scrolling"]
    held = {
        "first_paint_seconds": figures["first_paint_seconds"]["median"],
        "key_to_paint_p95_ms": keys["p95_ms"],
        "core_share": keys["core_share_with_engine"],
        "after_mib": figures["memory"]["after_mib"],
        "scrolling_p95_ms": max(one["p95_ms"] for one in scrolled.values()),
    }
    sys.exit(int(any(held[name] > limit for name, limit in limits.items())))
