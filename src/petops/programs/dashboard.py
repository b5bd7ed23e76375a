"""The dashboard's program: finds or starts the engines that it follows, and gives it the rest.

What is heavy is imported only where it is needed: attached, the first picture is there in a second.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from petops.config import Loaded, Settings, load, shown, state_folder
from petops.config.environment import settings_from, use_environment
from petops.errors import PetopsError, UsageError
from petops.programs.attach import KUBERNETES, in_cluster, settings_here
from petops.programs.engine_at import EngineAt, Reach, at
from petops.remote import socket_is_alive

if TYPE_CHECKING:
    from petops.tui.given import Given

READY_SECONDS: Final = 30.0
GRACE_SECONDS: Final = 5.0
HINT: Final = (
    "First steps:  type  :chaos  and Enter, then  i  injects a memory leak.\n"
    "An alarm comes within a minute; Enter opens it, a shows what may be done, ? helps."
)
_KUBERNETES: Final = re.compile(rf"([^=/]+=)?{KUBERNETES}(:.*)?")
_NO_METRICS: Final = (
    "This needs a Prometheus of yours: set PROMETHEUS_URL or [prometheus] mcp_url and start again."
)
_NO_CLUSTER: Final = (
    "This needs a cluster of yours: set KUBECONFIG or [cluster] context, and start again."
)
_WITHOUT: Final = "petops incidents, petops approve, petops chaos do the same line by line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    config: Path | None = None
    attach: tuple[str, ...] = ()
    lab: bool = False
    incident: str = ""
    utc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One engine, by its name; `loaded` are the settings where it is on this machine."""

    name: str
    reach: Reach
    loaded: Loaded | None = None


def check_terminal() -> None:
    """Raise UsageError where nothing can be drawn, with what to use in its place."""
    if os.environ.get("TEXTUAL_DRIVER"):  # a browser shows it, by way of --web
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the dashboard needs a terminal", hint=_WITHOUT)
    if os.environ.get("TERM", "") in {"", "dumb", "unknown"}:
        raise UsageError("this terminal cannot show the dashboard (TERM=dumb)", hint=_WITHOUT)


def has_utf8() -> bool:
    """Say whether the terminal is said to show more than ASCII."""
    chosen = next(
        (os.environ[one] for one in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(one)), ""
    )
    return "utf" in chosen.lower() or (not chosen and sys.platform == "darwin")


async def shown_until_left(wish: Wish) -> None:
    """Show the dashboard until it is left."""
    check_terminal()
    no_colour = bool(os.environ.get("NO_COLOR"))
    async with AsyncExitStack() as stack:
        found = await _engines(wish, stack)
        from petops.tui.app import Dashboard  # noqa: PLC0415 - textual takes 0.4 s
        from petops.tui.desk import Desk  # noqa: PLC0415
        from petops.tui.feed import Feed  # noqa: PLC0415
        from petops.tui.kept import Kept  # noqa: PLC0415
        from petops.tui.times import Times  # noqa: PLC0415

        feeds = []
        for one in found:
            handle = await stack.enter_async_context(EngineAt(one.reach))
            if len(found) == 1:  # of several, one that is down comes back by itself
                await handle.reached()
            feeds.append(Feed(one.name, handle, _now))
        desk = Desk(
            feeds=feeds,
            given=_given(wish, found),
            kept=Kept(state_folder() / "tui.json"),
            times=Times(zone=UTC if wish.utc else None),
            now=_now,
            ascii_only=not has_utf8(),
        )
        await Dashboard(desk, incident=wish.incident, no_colour=no_colour).run_async()


def _hint(settings: Settings) -> str:
    """Return what to try first on the lab, and where its Slack is."""
    page, api, _ = settings.slack.api_url.rpartition("/api/")
    return f"{HINT}\nThe same in the lab's Slack: {page}" if api else HINT


def _now() -> datetime:
    return datetime.now(UTC)


async def _engines(wish: Wish, stack: AsyncExitStack) -> Sequence[_Found]:
    """Return the engines to follow, started where that is needed."""
    if wish.attach and wish.lab:
        raise UsageError("--attach and --lab do not go together")
    if wish.lab:
        return (await stack.enter_async_context(_on_lab(wish)),)
    if wish.attach or load(wish.config, os.environ).settings.daemon.attach:
        return _attached(wish)
    return (await stack.enter_async_context(_local(wish)),)


def _attached(wish: Wish) -> Sequence[_Found]:
    """Return the engines at the addresses: `URL`, `kubernetes[:NAMESPACE/SERVICE]`, or NAME=it."""
    settings = settings_here(wish.config).settings
    found = tuple(
        _in_cluster(settings, one)
        if _KUBERNETES.fullmatch(one)
        else _named(one, settings.daemon.token, os.environ)
        for one in wish.attach or (settings.daemon.attach,)
    )
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two engines are called {name}", hint="--attach NAME=URL names each")
    return found


def _in_cluster(settings: Settings, text: str) -> _Found:
    name, equals, place = text.rpartition("=")
    place = place.partition(":")[2]
    found = name if equals else place or KUBERNETES
    return _Found(name=found, reach=lambda: in_cluster(settings, place))


def _named(text: str, token: str, variables: Mapping[str, str]) -> _Found:
    """Return the engine that is meant; PETOPS_TOKEN_NAME holds the token of one of several."""
    name, equals, url = text.partition("=")
    if not equals or "/" in name:
        name, url = "", text
    if "://" not in url:
        raise UsageError(
            f"{url[:80]} is no address of an engine", hint="for example http://127.0.0.1:8080"
        )
    name = name or urlsplit(url).netloc
    own = "PETOPS_TOKEN_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    return _Found(name=name, reach=at(url, variables.get(own) or token))


@asynccontextmanager
async def _local(wish: Wish) -> AsyncIterator[_Found]:
    """Follow the engine that holds the local journal; start it where none runs."""
    from petops.programs.attach import lab_folder, settings_here  # noqa: PLC0415

    loaded = settings_here(wish.config)
    settings = loaded.settings
    is_lab = lab_folder() in settings.journal_path.parents
    name = "lab" if is_lab else settings.cluster.name or settings.cluster.context or "local"
    async with _running(settings.socket_path, wish.config):
        yield _Found(name=name, reach=at(settings.socket_path), loaded=loaded)


@asynccontextmanager
async def _on_lab(wish: Wish) -> AsyncIterator[_Found]:
    """Follow the lab's engine; a lab that is started here ends with the dashboard."""
    from petops.lab.lab_state import end, running_lab  # noqa: PLC0415
    from petops.programs.attach import lab_folder  # noqa: PLC0415
    from petops.programs.labs import detached  # noqa: PLC0415

    before = running_lab(lab_folder())
    if before is None:
        await asyncio.to_thread(detached, wish.config, with_engine=True)
    try:
        state = running_lab(lab_folder())
        if state is None or not state.is_ready:
            raise PetopsError("the lab is not ready yet", hint="petops lab status")
        use_environment(state.environment)
        loaded = settings_from(wish.config)
        async with _running(loaded.settings.socket_path, wish.config):
            yield _Found(name="lab", reach=at(loaded.settings.socket_path), loaded=loaded)
    finally:
        if before is None:
            await end(lab_folder())


@asynccontextmanager
async def _running(socket: Path, config: Path | None) -> AsyncIterator[None]:
    """See to it that an engine serves on `socket`; one that is started here is ended here."""
    if socket_is_alive(socket):
        yield
        return
    child = await asyncio.to_thread(_started, socket, config)
    try:
        yield
    finally:
        child.terminate()
        try:
            await asyncio.to_thread(child.wait, GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


def _started(socket: Path, config: Path | None) -> subprocess.Popen[bytes]:
    """Start an engine as a process of its own, and return once it serves."""
    command = [sys.executable, "-m", "petops", *(["--config", str(config)] if config else [])]
    log = state_folder() / "engine.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("wb") as out:
        child = subprocess.Popen(  # noqa: S603 - our own program
            [*command, "daemon", "--port", "0", "--embedded"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while not socket_is_alive(socket):
        if child.poll() is not None or time.monotonic() > deadline:
            child.kill()
            raise PetopsError(f"no engine could be started: {_last_words(log)}", hint=str(log))
        time.sleep(0.05)
    return child


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [one for one in lines if one.strip()]
    errors = [one for one in said if one.startswith("error:")]
    return (errors or said or ["it said nothing"])[-1].removeprefix("error: ")[:300]


def _given(wish: Wish, found: Sequence[_Found]) -> Given:
    """Return what the dashboard may use beside engines: by the settings of this machine.

    Attached they are a person's own; what they do not name says so where somebody asks for it.
    """
    from petops.programs import catalogue  # noqa: PLC0415
    from petops.programs import dashboard_given as doors  # noqa: PLC0415
    from petops.programs.dashboard_charts import Charting  # noqa: PLC0415
    from petops.programs.telling import summary, told  # noqa: PLC0415
    from petops.tui.given import Cause, Given, Setting  # noqa: PLC0415

    is_here = found[0].loaded is not None
    loaded = found[0].loaded or load(wish.config, os.environ)
    settings = loaded.settings
    prometheus, cluster = settings.prometheus, settings.cluster
    has_metrics = bool(prometheus.url or prometheus.mcp_url or prometheus.mcp_command)
    has_cluster = is_here or bool(cluster.kubeconfig or cluster.context)
    return Given(
        tell=told,
        summarise=summary,
        ask=doors.Asking(settings).ask if has_metrics else None,
        charts=Charting(settings).charts if has_metrics else None,
        chaos=doors.ClusterFaults(settings) if has_cluster else None,
        export=doors.written,
        causes=tuple(
            Cause(name=one.name, title=one.title) for one in catalogue.known_modes(settings)
        ),
        settings=tuple(
            Setting(name=one.name, value=one.value, origin=one.origin, about=one.about)
            for one in shown(loaded)
        ),
        hint=_hint(loaded.settings) if wish.lab else "",
        missing={
            **({} if has_metrics else {"ask": _NO_METRICS, "charts": _NO_METRICS}),
            **({} if has_cluster else {"chaos": _NO_CLUSTER}),
        },
    )
