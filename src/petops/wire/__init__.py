"""Events, requests, entries and boards as JSON, and back.

Every member of a union carries its `kind`: the class name in kebab case. So a union may grow, and
an older version that reads a newer journal keeps what it does not know as `Unreadable`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Final, cast

from pydantic import ValidationError

from petops.domain.events import Entry, Event, Unreadable
from petops.domain.incident import Board, Incident
from petops.domain.requests import AnyRequest
from petops.errors import PetopsError, UsageError
from petops.wire.schemas import dumped, kind_of, loaded

__all__ = [
    "MAX_REQUEST_BYTES",
    "board_from_json",
    "board_to_json",
    "entry_from_json",
    "entry_to_json",
    "event_from_json",
    "event_to_json",
    "incident_to_json",
    "kind_of",
    "request_from_json",
    "request_to_json",
]

MAX_REQUEST_BYTES: Final = 1024 * 1024
MAX_TEXT: Final = 2_000
MAX_NAME: Final = 300


def event_to_json(event: Event) -> tuple[str, str]:
    """Return an event's kind and its text; an unreadable one is what it was read from."""
    if isinstance(event, Unreadable):
        return event.kind, event.text
    return kind_of(type(event)), dumped(Event, event).decode()


def event_from_json(kind: str, text: str, at: datetime) -> Event:
    """Return the event; what this version cannot read becomes `Unreadable`, at `at`."""
    try:
        event = loaded(Event, text)
    except (ValidationError, UsageError):
        event = None
    if event is None or kind_of(type(event)) != kind:
        return Unreadable(at=at, request=_request_in(text), kind=kind, text=text)
    return cast("Event", event)


def entry_to_json(entry: Entry) -> str:
    """Return an entry as one line of JSON."""
    return dumped(Entry, entry).decode()


def entry_from_json(text: str | bytes) -> Entry:
    """Return the entry; an event that this version cannot read becomes `Unreadable`."""
    try:
        return cast("Entry", loaded(Entry, text))
    except (ValidationError, UsageError):
        return _entry_with_unreadable(text)


def request_to_json(request: AnyRequest) -> bytes:
    """Return a request as an engine takes it."""
    return dumped(AnyRequest, request)


def request_from_json(body: bytes) -> AnyRequest:
    """Return the request, or raise `UsageError` with what is wrong with it."""
    if len(body) > MAX_REQUEST_BYTES:
        raise UsageError(f"the request is larger than {MAX_REQUEST_BYTES} bytes")
    try:
        request = cast("AnyRequest", loaded(AnyRequest, body))
    except ValidationError as exc:
        raise UsageError(f"this is no request: {_sentence(exc)}") from exc
    _known_only(request, body)
    for one in fields(request):
        value = getattr(request, one.name)
        if isinstance(value, str) and value != one.default:
            _bounded(one.name, value)
    return request


def incident_to_json(incident: Incident) -> str:
    """Return all that is known of one incident, its entries included. There is no way back."""
    return dumped(Incident, incident).decode()


def board_to_json(board: Board) -> str:
    """Return the entries that a board is folded from, and what they do not tell."""
    kept = {entry.seq: entry for entry in board.answered.values()}
    for incident in board.incidents.values():
        kept |= {entry.seq: entry for entry in incident.history}
    entries = ",".join(entry_to_json(kept[seq]) for seq in sorted(kept))
    counts = f'"seq":{board.seq},"turned_away":{board.turned_away},"loose":{board.loose}'
    return f'{{{counts},"entries":[{entries}]}}'


def board_from_json(text: str | bytes) -> Board:
    """Return the board that `board_to_json` wrote, folded anew."""
    try:
        wired = loaded(_WiredBoard, text)
    except (ValidationError, UsageError):
        wired = _board_with_unreadable(text)
    folded = Board().after(*wired.entries)
    return replace(folded, seq=wired.seq, turned_away=wired.turned_away, loose=wired.loose)


@dataclass(frozen=True, slots=True, kw_only=True)
class _WiredBoard:
    """A board on its way."""

    seq: int
    turned_away: int
    loose: int
    entries: tuple[Entry, ...]


def _request_in(text: str) -> str:
    """Return the request id of an event that cannot be read, so that its request stays answered."""
    found = _object(text)
    request = found.get("request") if found else None
    return request if isinstance(request, str) else ""


def _entry_with_unreadable(text: str | bytes) -> Entry:
    found = _object(text)
    if found is None:
        raise _no_entry()
    return _entry_of(found)


def _board_with_unreadable(text: str | bytes) -> _WiredBoard:
    found = _object(text)
    match found:
        case {
            "seq": int(seq),
            "turned_away": int(turned_away),
            "loose": int(loose),
            "entries": [*entries],
        }:
            made = tuple(_entry_of(one) for one in entries)
            return _WiredBoard(seq=seq, turned_away=turned_away, loose=loose, entries=made)
        case _:
            raise PetopsError("this is no board", hint="is the engine of another version?")


def _entry_of(found: object) -> Entry:
    """Return the entry in a JSON object whose event may be of any kind."""
    match found:
        case {
            "seq": int(seq),
            "incident": str(incident),
            "number": int(number),
            "event": {"kind": str(kind), "at": str(at)} as event,
        }:
            text = event.get("unreadable")
            if not isinstance(text, str):
                text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            made = event_from_json(kind, text, _time(at))
            return Entry(seq=seq, incident=incident, number=number, event=made)
        case _:
            raise _no_entry()


def _no_entry() -> PetopsError:
    return PetopsError("this is no entry of a journal", hint="is the engine of another version?")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise _no_entry() from exc


def _object(text: str | bytes) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _sentence(exc: ValidationError) -> str:
    """Return what is wrong first of all, in the words of who wrote the request."""
    first = exc.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    match first:
        case {"type": "union_tag_not_found"}:
            told = "it has no kind"
        case {"type": "union_tag_invalid", "ctx": {"tag": tag, "expected_tags": known}}:
            told = f"its kind is {str(tag)[:80]!r}, not one of {known}"
        case _:
            told = str(first["msg"])
    return f"{place}: {told}"[:MAX_NAME] if place else told[:MAX_NAME]


def _known_only(request: AnyRequest, body: bytes) -> None:
    """Refuse what no request has: who writes `by`, say, would think that it counted."""
    known = {"kind", *(one.name for one in fields(request))}
    unknown = [key for key in _object(body) or () if key not in known]
    if unknown:
        told = f"{unknown[0][:80]!r} is no field of {kind_of(type(request))}"
        raise UsageError(f"this is no request: {told}")


def _bounded(name: str, value: str) -> None:
    limit = MAX_TEXT if name == "because" else MAX_NAME
    if len(value) > limit:
        raise UsageError(f"this is no request: {name} is longer than {limit} characters")
    if not value.strip():
        raise UsageError(f"this is no request: {name} is empty")
