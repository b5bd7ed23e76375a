"""Keeps one-way notifiers told, beside the engine: what they want told less what they were told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

from petops.config import Settings
from petops.domain.events import Entry, Mirrored
from petops.domain.incident import Incident
from petops.domain.policy import Identity
from petops.domain.requests import RecordMirrored
from petops.errors import DeniedError, PetopsError, UsageError
from petops.notifiers.base import Notifier
from petops.notifiers.pagerduty import PagerDuty
from petops.notifiers.webhook import Webhook
from petops.ports import Clock
from petops.slack.mirror import Serves

EVENT: Final = "event"
_PAUSES: Final = (1.0, 5.0, 15.0, 60.0)


def notifiers(settings: Settings) -> Sequence[Notifier]:
    """Return those that are set; raise UsageError for settings that make no sense."""
    from petops.slack.text import Writer, masks  # noqa: PLC0415 - only where one is set

    notify, found = settings.notify, list[Notifier]()
    for one in (notify.pagerduty_url, notify.webhook_url):
        if one and not one.startswith(("https://", "http://")):
            raise UsageError(f"{one[:60]!r} is no address", hint="[notify] in petops.toml")
    mask = Writer(masks(settings.mask)).masked
    if notify.pagerduty_key:
        found.append(
            PagerDuty(
                key=notify.pagerduty_key,
                url=notify.pagerduty_url,
                mask=mask,
                priorities=notify.priorities,
                page=settings.daemon.public_url,
            )
        )
    if notify.webhook_url:
        found.append(
            Webhook(
                url=notify.webhook_url,
                secret=notify.webhook_secret,
                mask=mask,
                priorities=notify.priorities,
            )
        )
    return found


async def keep_told(
    engine: Serves, notifier: Notifier, clock: Clock, say: Callable[[str], None]
) -> None:
    """Tell a notifier what it wants told, until cancelled."""
    news = asyncio.Event()
    board = await engine.board()

    async def follow(after: int) -> None:
        async with aclosing(engine.entries(after)) as entries:  # type: ignore[type-var]
            async for entry in entries:
                if _is_news(entry):
                    news.set()

    failures = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(follow(board.seq))
        while True:
            news.clear()
            try:
                while await _told_something(engine, notifier, say):
                    pass  # what was told may make something else wanted
            except PetopsError as exc:
                if not failures:
                    say(f"{exc.message} ({exc.hint})" if exc.hint else exc.message)
                await clock.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
                continue
            failures = 0
            await news.wait()


def _is_news(entry: Entry) -> bool:
    return not isinstance(entry.event, Mirrored)


async def _told_something(engine: Serves, notifier: Notifier, say: Callable[[str], None]) -> bool:
    told = False
    for incident in (await engine.board()).incidents.values():
        told |= await _tell(engine, notifier, incident, say)
    return told


async def _tell(
    engine: Serves, notifier: Notifier, incident: Incident, say: Callable[[str], None]
) -> bool:
    """Tell what is wanted of one incident, if anything; say whether there was something."""
    what = notifier.wanted(incident)
    before = incident.mirror(notifier.name, EVENT)
    if not what or (before is not None and before.message == what):
        return False
    try:
        await notifier.tell(incident, what)
    except DeniedError as exc:  # it will never take this one: said, and not sent again
        say(f"{exc.message} ({exc.hint})" if exc.hint else exc.message)
    request = RecordMirrored(
        id=f"{notifier.name}:{incident.id}:{incident.number}:{what}",
        incident=incident.id,
        surface=notifier.name,
        part=EVENT,
        channel=notifier.name,
        message=what,
        shown=incident.number,
    )
    await engine.submit(request, Identity(user=notifier.name, channel="mirror"))
    return True


@asynccontextmanager
async def notifying(
    settings: Settings, engine: Serves, clock: Clock, say: Callable[[str], None]
) -> AsyncIterator[None]:
    """Keep every notifier that is set told, for as long as the block lasts."""
    notify = settings.notify
    if not notify.pagerduty_key and not notify.webhook_url:
        yield
        return
    tasks = [asyncio.create_task(keep_told(engine, one, clock, say)) for one in notifiers(settings)]
    try:
        yield
    finally:
        for one in tasks:
            one.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
