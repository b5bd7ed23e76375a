"""Looks ahead every few minutes, and reports what is going to happen, and what no longer is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from petops.domain.alarm import Alarm, AlarmState
from petops.domain.incident import Board
from petops.domain.phases import OVER
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.engine.engine import Engine
from petops.errors import PetopsError
from petops.ports import Clock

FORECAST = Identity(user="forecast", channel="engine")

Look = Callable[[datetime], Awaitable[Sequence[Alarm]]]


async def forecasting(
    engine: Engine, look: Look, clock: Clock, minutes: float, say: Callable[[str], None]
) -> None:
    """Look ahead without end; a source that is away is told of once."""
    failed = False
    while True:
        await clock.sleep(minutes * 60)
        try:
            found = await look(clock.now())
            failed = False
        except PetopsError as exc:
            if not failed:
                say(f"nothing can be predicted now: {exc.message}")
            failed = True
            continue
        for alarm in due(found, await engine.board(), clock.now()):
            try:
                await engine.submit(ReportAlarm(id=alarm.event_id, alarm=alarm), FORECAST)
            except PetopsError as exc:
                say(f"a prediction could not be journaled: {exc.message}")
                break


def due(found: Sequence[Alarm], board: Board, now: datetime) -> tuple[Alarm, ...]:
    """Return what is predicted anew, and an end for each prediction that no longer is. Pure."""
    still = {
        key: alarm
        for one in board.incidents.values()
        if one.alarm.is_forecast and one.phase not in OVER
        for key, alarm in one.alarms.items()
        if alarm.is_forecast and alarm.state is AlarmState.ALARM
    }
    expected = {one.fingerprint for one in found}
    news = tuple(one for one in found if one.fingerprint not in still)
    over = tuple(
        replace(alarm, state=AlarmState.OK, started_at=now, event_id=f"{key}/{now.isoformat()}/ok")
        for key, alarm in still.items()
        if key not in expected
    )
    return (*news, *over)
