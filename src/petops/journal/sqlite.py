"""A journal in one SQLite file, with one writer.

All of SQLite runs in one thread of its own, so that the event loop never waits for a disk. What a
person decided and what is about to be done to a cluster is on the disk before `append` returns.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from petops.domain import events as ev
from petops.domain.events import Entry, Event
from petops.errors import ConflictError, JournalError, SupersededError
from petops.journal import chain
from petops.journal.lock import locked, private
from petops.wire import event_from_json, event_to_json

T = TypeVar("T")

VERSION: Final = 2
SCHEMA: Final = """
create table entries (
    seq integer primary key,
    incident text not null,
    number integer not null,
    kind text not null,
    at text not null,
    body text not null,
    hash text not null default '',
    unique (incident, number)
)
"""
DURABLE: Final = (
    ev.IncidentOpened,
    ev.RemedyApproved,
    ev.RemedyRejected,
    ev.ActIntended,
    ev.RemedyApplied,
    ev.ActFailed,
)
"""Kinds that must survive a power failure; the rest survives the end of the process."""

_NO_SPACE: Final = {
    "SQLITE_FULL",
    "SQLITE_IOERR_WRITE",
    "SQLITE_IOERR_SHMSIZE",
    "SQLITE_IOERR_SHMMAP",
}
_BROKEN: Final = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}


class SqliteJournal:
    """`Journal` in a file. Made by `open` and `open_read_only` only."""

    def __init__(
        self, path: Path, thread: Executor, connection: sqlite3.Connection, token: int = 0
    ) -> None:
        self._path = path
        self._thread = thread
        self._connection = connection
        self._synchronous = ""
        self._token = token

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, token: int = 0) -> AsyncIterator[SqliteJournal]:
        """Open the journal for writing, made if it is not there; raise JournalError.

        `token` is that of a Lease, where one says who may; the journal's own goes on from there.
        """
        with locked(path):
            private(path)
            async with cls._opened(path, lambda place: _writable(place, token)) as journal:
                yield journal

    @classmethod
    @asynccontextmanager
    async def open_read_only(cls, path: Path) -> AsyncIterator[SqliteJournal]:
        """Open a journal that another process may be writing; raise JournalError."""
        async with cls._opened(path, _readable) as journal:
            yield journal

    @classmethod
    @asynccontextmanager
    async def _opened(
        cls, path: Path, connect: Callable[[Path], sqlite3.Connection]
    ) -> AsyncIterator[SqliteJournal]:
        with ThreadPoolExecutor(1, thread_name_prefix="journal") as thread:
            connection = await _in(thread, lambda: _told(path, lambda: connect(path)))
            try:
                yield cls(path, thread, connection, await _in(thread, lambda: _token(connection)))
            finally:
                await _in(thread, connection.close)

    @property
    def token(self) -> int:
        """The fencing token; one file has one writer at a time, by its lock."""
        return self._token

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        """Store events after the incident's entry number `expected`, all or none of them."""
        return await self._run(lambda: self._append(incident, expected, events))

    async def read(self, after: int, limit: int = 1000) -> tuple[Entry, ...]:
        """Return up to `limit` entries with a seq above `after`, in order."""
        return await self._run(lambda: self._read(after, limit))

    async def prune(self, until: int, marker: Callable[[int, str], Event]) -> Entry | None:
        """Take out the lines up to `until`; `marker` is of how many they were and the last hash.

        The chain goes on from there, with the marker as its latest line. None: there were none.
        """
        return await self._run(lambda: self._prune(until, marker))

    def _prune(self, until: int, marker: Callable[[int, str], Event]) -> Entry | None:
        run = self._connection.execute
        self._sync("full")
        run("begin immediate")
        try:
            gone, last = chain.prune(self._connection, until)
            added: list[Entry] = []
            if gone:
                event = marker(gone, last)
                sql = "select coalesce(max(number), 0) from entries where incident = ?"
                ((number,),) = run(sql, (ev.NO_INCIDENT,))
                wired = [(event, *event_to_json(event))]
                added = self._inserted(ev.NO_INCIDENT, number, wired)
            run("commit")
        except BaseException:
            if self._connection.in_transaction:
                run("rollback")
            raise
        return added[0] if added else None

    async def verified(self, expected: str = "") -> chain.Verified:
        """Walk the chain of hashes; raise JournalError for a journal that has none yet."""
        return await self._run(lambda: self._verified(expected))

    def _verified(self, expected: str) -> chain.Verified:
        if _version(self._connection, self._path) < VERSION:
            raise JournalError(
                f"the journal {self._path} is of an older petops and has no chain yet",
                hint="it gets one as soon as an engine opens it: `petops daemon`",
            )
        return chain.verified(self._connection, expected)

    async def _run(self, work: Callable[[], T]) -> T:
        return await _in(self._thread, lambda: _told(self._path, work))

    def _append(self, incident: str, expected: int, events: Sequence[Event]) -> tuple[Entry, ...]:
        wired = [(event, *event_to_json(event)) for event in events]
        self._sync("full" if any(isinstance(event, DURABLE) for event in events) else "normal")
        run = self._connection.execute
        run("begin immediate")
        try:
            sql = "select coalesce(max(number), 0) from entries where incident = ?"
            ((number,),) = run(sql, (incident,))
            if number != expected:
                raise ConflictError(f"{incident} has {number} entries, not {expected}")  # noqa: TRY301
            added = self._inserted(incident, expected, wired)
            run("commit")
        except BaseException:
            if self._connection.in_transaction:  # SQLite itself rolls back where the disk is full
                run("rollback")
            raise
        return tuple(added)

    def _inserted(
        self, incident: str, expected: int, wired: Sequence[tuple[Event, str, str]]
    ) -> list[Entry]:
        """Insert the lines, each linked to the one before it, and move the head of the chain."""
        run, added = self._connection.execute, []
        ((seq, last, token),) = run("select seq, hash, token from head")
        if token != self._token:
            raise SupersededError(
                f"a later engine holds the journal {self._path}", hint="attach to that engine"
            )
        for number, (event, kind, body) in enumerate(wired, start=expected + 1):
            seq += 1
            row = (seq, incident, number, kind, event.at.astimezone(UTC).isoformat(), body)
            last = chain.link(last, row)
            sql = "insert into entries values (?, ?, ?, ?, ?, ?, ?)"
            run(sql, (*row, last))
            added.append(Entry(seq=seq, incident=incident, number=number, event=event))
        run("update head set seq = ?, hash = ?", (seq, last))
        return added

    def _sync(self, level: str) -> None:
        """Choose how far the next commit goes; SQLite ignores this inside a transaction."""
        if level != self._synchronous:
            self._connection.execute(f"pragma synchronous = {level}")
            self._synchronous = level

    def _read(self, after: int, limit: int) -> tuple[Entry, ...]:
        sql = """
            select seq, incident, number, kind, at, body from entries
            where seq > ? order by seq limit ?
        """
        return tuple(_entry(row) for row in self._connection.execute(sql, (after, limit)))


def _entry(row: tuple[int, str, int, str, str, str]) -> Entry:
    seq, incident, number, kind, at, body = row
    try:
        when = datetime.fromisoformat(at)
    except ValueError as exc:
        raise sqlite3.DatabaseError(f"entry {seq} has no time") from exc
    event = event_from_json(kind, body, when)
    return Entry(seq=seq, incident=incident, number=number, event=event)


async def _in(thread: Executor, work: Callable[[], T]) -> T:
    """Run `work` in the thread. A cancelled caller still waits: what it began is not left open."""
    future = asyncio.get_running_loop().run_in_executor(thread, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # looked at, so that asyncio does not report it as forgotten
        raise


def _writable(path: Path, token: int = 0) -> sqlite3.Connection:
    connection = _connected(path, "rw")
    try:
        connection.execute("pragma journal_mode = wal")
        version = _version(connection, path)
        connection.execute("begin immediate")
        if version == 0:
            connection.execute(SCHEMA)
        elif version < VERSION:
            connection.execute("alter table entries add column hash text not null default ''")
        if version < VERSION:
            chain.begin(connection)
            connection.execute(f"pragma user_version = {VERSION}")
        connection.execute("update head set token = max(token + 1, ?)", (token,))
        connection.execute("commit")
    except BaseException:
        connection.close()
        raise
    return connection


def _readable(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise JournalError(f"there is no journal at {path}")
    connection = _connected(path, "ro")
    try:
        if _version(connection, path) == 0:
            raise JournalError(f"the journal {path} is empty")  # noqa: TRY301
    except BaseException:
        connection.close()
        raise
    return connection


def _token(connection: sqlite3.Connection) -> int:
    """Return the fencing token of the latest holder; an older journal has none yet."""
    ((heads,),) = connection.execute("select count(*) from sqlite_master where name = 'head'")
    if not heads:
        return 0
    ((token,),) = connection.execute("select token from head")
    return int(token)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema's version, 0 where there is none yet; refuse what is not ours to read."""
    ((version,),) = connection.execute("pragma user_version")
    ((tables,),) = connection.execute("select count(*) from sqlite_master")
    if version > VERSION:
        raise JournalError(
            f"the journal {path} is of version {version}, this petops knows version {VERSION}",
            hint="use the petops that wrote it, or a newer one",
        )
    if (version == 0) != (tables == 0):
        raise JournalError(f"{path} is a database, but no journal of petops")
    return int(version)


def _told(path: Path, work: Callable[[], T]) -> T:
    """Do `work`, and say what is wrong with the file where SQLite fails."""
    try:
        return work()
    except sqlite3.IntegrityError as exc:
        raise ConflictError(f"another writer was first in {path}") from exc
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorname", "")
        if code in _NO_SPACE:
            raise JournalError(
                f"there is no space for the journal {path}, nothing was written",
                hint="free some space on its disk (or lift the limit); petops goes on by itself",
            ) from exc
        if any(code.startswith(one) for one in _BROKEN):
            raise JournalError(
                f"the journal {path} is damaged: {exc}",
                hint="move it away and restore a copy; without it petops begins anew",
            ) from exc
        raise JournalError(f"the journal {path} cannot be used: {exc}") from exc
