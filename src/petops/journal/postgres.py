"""A journal in PostgreSQL, which replicas share: one writes, by its fencing token; all may read.

Every append takes its numbers by one update of the head, in its own transaction and only with the
token that holds it. So numbers have no gaps and followers miss none, and who was superseded writes
nothing, however long it was paused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from petops.domain.events import Entry, Event
from petops.errors import ConflictError, JournalError, PetopsError, SupersededError
from petops.journal import chain
from petops.wire import event_from_json, event_to_json

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

VERSION: Final = 2
_SECONDS: Final = 10.0
_SCHEMA: Final = f"""
create table if not exists petops_entries (
    seq bigint primary key,
    incident text not null,
    number integer not null,
    kind text not null,
    at text not null,
    body text not null,
    hash text not null,
    unique (incident, number)
);
create table if not exists petops_head (
    id integer primary key check (id = 1),
    seq bigint not null,
    hash text not null,
    token bigint not null,
    version integer not null
);
insert into petops_head values (1, 0, '{chain.GENESIS}', 0, {VERSION}) on conflict do nothing;
"""  # noqa: S608 (constants of ours)
_MAKING: Final = 5_077_695  # a lock of ours: two replicas make the tables one after the other


class PostgresJournal:
    """`Journal` in a database. Made by `open` and `open_read_only` only."""

    def __init__(self, pool: asyncpg.Pool, place: str, token: int) -> None:
        self._pool = pool
        self._place = place
        self._token = token
        self._writing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, token: int = 0) -> AsyncIterator[PostgresJournal]:
        """Open the journal for writing, made if it is not there.

        `token` is that of a Lease; 0 takes the next one. Raise SupersededError where a later engine
        holds the journal, JournalError where it cannot be had.
        """
        async with cls._opened(url) as journal:
            journal._token = await journal._told(lambda: journal._claimed(token))
            yield journal

    @classmethod
    @asynccontextmanager
    async def open_read_only(cls, url: str) -> AsyncIterator[PostgresJournal]:
        """Open a journal that another process may be writing; raise JournalError."""
        async with cls._opened(url) as journal:
            yield journal

    @classmethod
    @asynccontextmanager
    async def _opened(cls, url: str) -> AsyncIterator[PostgresJournal]:
        try:
            import asyncpg  # noqa: PLC0415 (an extra)
        except ImportError as exc:
            raise JournalError(
                "a journal in PostgreSQL needs asyncpg", hint="pip install 'petops[postgres]'"
            ) from exc
        place = place_of(url)
        try:
            pool = await asyncpg.create_pool(
                url, min_size=1, max_size=4, timeout=_SECONDS, command_timeout=_SECONDS
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as exc:
            raise _unusable(place, exc) from exc
        try:
            journal = cls(pool, place, 0)
            await journal._told(journal._made)
            yield journal
        finally:
            try:
                async with asyncio.timeout(_SECONDS):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @property
    def token(self) -> int:
        """The fencing token of this holder."""
        return self._token

    async def append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        """Store events after the incident's entry number `expected`, all or none of them."""
        if not events:
            return ()
        async with self._writing:
            return await self._told(lambda: self._append(incident, expected, events))

    async def read(self, after: int, limit: int = 1000) -> tuple[Entry, ...]:
        """Return up to `limit` entries with a seq above `after`, in order."""
        return await self._told(lambda: self._read(after, limit))

    async def latest_token(self) -> int:
        """Return the token that the journal was claimed with last."""
        return int(await self._told(lambda: self._pool.fetchval("select token from petops_head")))

    async def verified(self, expected: str = "") -> chain.Verified:
        """Walk the chain of hashes."""
        return await self._told(lambda: self._verified(expected))

    async def _made(self) -> None:
        async with self._pool.acquire() as one, one.transaction():
            await one.execute("select pg_advisory_xact_lock($1)", _MAKING)
            await one.execute(_SCHEMA)
            version = await one.fetchval("select version from petops_head")
        if version > VERSION:
            raise JournalError(
                f"the journal {self._place} is of version {version}, this petops knows {VERSION}",
                hint="use the petops that wrote it, or a newer one",
            )

    async def _claimed(self, token: int) -> int:
        if not token:
            sql = "update petops_head set token = token + 1 returning token"
            return int(await self._pool.fetchval(sql))
        sql = "update petops_head set token = $1 where token < $1 returning token"
        if await self._pool.fetchval(sql, token) is None:
            raise _superseded(self._place)
        return token

    async def _append(
        self, incident: str, expected: int, events: Sequence[Event]
    ) -> tuple[Entry, ...]:
        wired = [(event, *event_to_json(event)) for event in events]
        async with self._pool.acquire() as one, one.transaction():
            head = await one.fetchrow(
                "update petops_head set seq = seq + $1 where token = $2 returning seq, hash",
                len(wired),
                self._token,
            )
            if head is None:
                raise _superseded(self._place)
            number = await one.fetchval(
                "select coalesce(max(number), 0) from petops_entries where incident = $1", incident
            )
            if number != expected:
                raise ConflictError(f"{incident} has {number} entries, not {expected}")
            seq, last = int(head["seq"]) - len(wired), str(head["hash"])
            rows, added = [], []
            for offset, (event, kind, body) in enumerate(wired, start=1):
                at = event.at.astimezone(UTC).isoformat()
                row = (seq + offset, incident, expected + offset, kind, at, body)
                last = chain.link(last, row)
                rows.append((*row, last))
                added.append(Entry(seq=row[0], incident=incident, number=row[2], event=event))
            sql = "insert into petops_entries values ($1, $2, $3, $4, $5, $6, $7)"
            await one.executemany(sql, rows)
            await one.execute("update petops_head set hash = $1", last)
        return tuple(added)

    async def _read(self, after: int, limit: int) -> tuple[Entry, ...]:
        sql = """
            select seq, incident, number, kind, at, body from petops_entries
            where seq > $1 order by seq limit $2
        """
        return tuple(_entry(row) for row in await self._pool.fetch(sql, after, limit))

    async def _verified(self, expected: str) -> chain.Verified:
        async with self._pool.acquire() as one, one.transaction(isolation="repeatable_read"):
            sql = "select seq, incident, number, kind, at, body, hash from petops_entries"
            rows = [tuple(row) for row in await one.fetch(f"{sql} order by seq")]
            head = await one.fetchrow("select seq, hash from petops_head")
        return chain.walked(rows, (int(head["seq"]), str(head["hash"])), expected)

    async def _told(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do `work`, and say what is wrong where the database fails."""
        import asyncpg  # noqa: PLC0415 (an extra)

        try:
            return await work()
        except asyncpg.UniqueViolationError as exc:
            raise ConflictError(f"another writer was first in {self._place}") from exc
        except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as exc:
            raise JournalError(
                f"there is no space for the journal {self._place}, nothing was written",
                hint="free some space there; petops goes on by itself",
            ) from exc
        except PetopsError:
            raise
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise _unusable(self._place, exc) from exc


def place_of(url: str) -> str:
    """Return where a database is, without who asks it and by what password."""
    return url.rpartition("@")[2].partition("?")[0].removeprefix("postgresql://")[:200]


def _superseded(place: str) -> SupersededError:
    return SupersededError(
        f"a later engine holds the journal {place}", hint="attach to that engine"
    )


def _unusable(place: str, exc: Exception) -> JournalError:
    why = " ".join(str(exc).split())[:300] or type(exc).__name__
    return JournalError(
        f"the journal in PostgreSQL at {place} cannot be used: {why}",
        hint="see journal.url, and whether the database can be reached from here",
    )


def _entry(row: asyncpg.Record) -> Entry:
    try:
        when = datetime.fromisoformat(row["at"])
    except ValueError as exc:
        raise JournalError(f"entry {row['seq']} has no time") from exc
    event = event_from_json(row["kind"], row["body"], when)
    return Entry(seq=row["seq"], incident=row["incident"], number=row["number"], event=event)
