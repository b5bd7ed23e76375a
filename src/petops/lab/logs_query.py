"""Runs a Logs Insights query over events."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from petops.lab.log_events import LogEvent
from petops.lab.logs_aggregates import aggregated, value_of
from petops.lab.logs_language import Command, Expression, Field, Item, Pattern
from petops.lab.logs_tokens import bad
from petops.lab.logs_values import Record, Value, evaluate, moment, number, shown, true

_MOST_RESULTS: Final = 10_000
_MOST_GROUPS: Final = 10_000
_TIMES: Final = frozenset({"@timestamp", "@ingestionTime"})
_DEFAULT: Final = (Item(Field("@timestamp"), "@timestamp"), Item(Field("@message"), "@message"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a query gave: rows of named texts, and how much it read for them."""

    rows: Sequence[Sequence[tuple[str, str]]]
    matched: int
    scanned: int
    scanned_bytes: int


def run(commands: Sequence[Command], events: Iterable[LogEvent], limit: int) -> Found:
    """Run the commands one after the other."""
    read = list(events)
    state = _State(records=[Record(event) for event in read], matched=len(read))
    for command in commands:
        _STEPS[command.kind](state, command)
    if not state.is_sorted and not state.is_counted:
        state.records = _sorted((Item(Field("@timestamp"), ""),), state.records)
    rows = [_row(state.items, one, with_pointer=not state.is_counted) for one in state.records]
    size = sum(len(event.message) for event in read)
    return Found(rows=rows[:limit], matched=state.matched, scanned=len(read), scanned_bytes=size)


@dataclass(slots=True, kw_only=True)
class _State:
    """What stands between two commands."""

    records: list[Record]
    matched: int
    items: Sequence[Item] = _DEFAULT
    is_sorted: bool = False
    is_counted: bool = False


def _filter(state: _State, command: Command) -> None:
    wanted = command.items[0].expression
    state.records = [one for one in state.records if true(evaluate(wanted, one))]
    if not state.is_counted:
        state.matched = len(state.records)


def _fields(state: _State, command: Command) -> None:
    _add(command.items, state.records)
    state.items = _joined(state.items, command)


def _stats(state: _State, command: Command) -> None:
    state.records, state.is_counted = _counted(command, state.records), True
    state.items = [Item(Field(one.name), one.name) for one in (*command.groups, *command.items)]


def _sort(state: _State, command: Command) -> None:
    state.records, state.is_sorted = _sorted(command.items, state.records), True


def _limit(state: _State, command: Command) -> None:
    if not state.is_sorted and not state.is_counted:
        _sort(state, Command(kind="sort", items=(Item(Field("@timestamp"), ""),)))
    state.records = state.records[: command.count]


def _parse(state: _State, command: Command) -> None:
    state.records = _parsed(command, state.records)


def _dedup(state: _State, command: Command) -> None:
    state.records = _distinct(command.items, state.records)


_STEPS: Final[Mapping[str, Callable[[_State, Command], None]]] = {
    "filter": _filter,
    "fields": _fields,
    "display": _fields,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
    "parse": _parse,
    "dedup": _dedup,
}


def _joined(before: Sequence[Item], command: Command) -> Sequence[Item]:
    """Return what is shown: `display` alone counts, several `fields` add up."""
    if command.kind == "display" or before is _DEFAULT:
        return command.items
    return [*before, *command.items]


def _add(items: Iterable[Item], records: Iterable[Record]) -> None:
    for item in items:
        if isinstance(item.expression, Field) and item.expression.name == item.name:
            continue
        for record in records:
            record.added[item.name] = value_of(item.expression, record)


def _parsed(command: Command, records: list[Record]) -> list[Record]:
    field, pattern, *named = command.items
    if not isinstance(pattern.expression, Pattern):
        raise bad("parse needs a pattern")
    regex = pattern.expression.regex
    for record in records:
        value = evaluate(field.expression, record)
        found = regex.search(shown(value)) if value is not None else None
        if found is None:
            continue
        if named:
            pairs = zip((item.name for item in named), found.groups(), strict=False)
            record.added.update(pairs)
        else:
            record.added.update(found.groupdict())
    return records


def _distinct(items: Sequence[Item], records: Iterable[Record]) -> list[Record]:
    kept: dict[tuple[str, ...], Record] = {}
    for record in records:
        key = tuple(shown(value_of(item.expression, record)) for item in items)
        kept.setdefault(key, record)
    return list(kept.values())


def _sorted(items: Sequence[Item], records: list[Record]) -> list[Record]:
    """Sort stably by several keys; what has no value comes last."""
    for item in reversed(items):
        named = Field(item.name) if item.name and not isinstance(item.expression, Field) else None
        key_of = functools.partial(_sort_key, item.expression, named)
        records = sorted(records, key=key_of, reverse=not item.rises)
    return records


def _sort_key(
    expression: Expression, named: Field | None, record: Record
) -> tuple[int, float, str]:
    value = record.value(named.name) if named is not None else None
    if value is None:
        value = value_of(expression, record)
    found = number(value)
    if found is not None:
        return (2, found, "")
    return (1, 0.0, shown(value)) if value is not None else (0, 0.0, "")


def _counted(command: Command, records: Iterable[Record]) -> list[Record]:
    groups: dict[tuple[Value, ...], list[Record]] = {}
    for record in records:
        key = tuple(value_of(item.expression, record) for item in command.groups)
        if key not in groups and len(groups) >= _MOST_GROUPS:
            continue
        groups.setdefault(key, []).append(record)
    if not groups and not command.groups:
        groups[()] = []
    made = []
    for key, members in groups.items():
        values: dict[str, Value] = {
            item.name: value for item, value in zip(command.groups, key, strict=True)
        }
        for item in command.items:
            values[item.name] = aggregated(item.expression, members)
        made.append(Record(None, values))
    return made


def _row(items: Iterable[Item], record: Record, *, with_pointer: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for item in items:
        value = record.value(item.name)
        if value is None and record.event is not None:
            value = value_of(item.expression, record)
        if value is None:
            continue
        is_time = item.name in _TIMES or (
            isinstance(item.expression, Field) and item.expression.name in _TIMES
        )
        text = moment(value) if is_time and isinstance(value, float) else shown(value)
        found.append((item.name, text))
    pointer = record.event.id if with_pointer and record.event is not None else ""
    return [*found, ("@ptr", pointer)] if pointer else found
