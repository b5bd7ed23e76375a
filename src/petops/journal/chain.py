"""The journal's chain: each line's hash is of the line before it and of its own text.

Who edits, removes or swaps lines breaks the chain at that place; the head, kept apart, tells when
lines are missing at the end. Against somebody who computes everything anew only a hash that was
noted elsewhere helps: `petops audit verify` prints it, and takes it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from petops.domain.change import canonical

GENESIS: Final = "0" * 64
HEAD: Final = """
create table head (
    id integer primary key check (id = 1),
    seq integer not null,
    hash text not null,
    token integer not null
)
"""
PRUNED: Final = """
create table if not exists pruned (
    id integer primary key check (id = 1),
    seq integer not null,
    hash text not null
)
"""
Row = tuple[int, str, int, str, str, str]
_ROWS: Final = "select seq, incident, number, kind, at, body, hash from entries order by seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A line that is not what was written, or the first of those that are missing."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the chain says: how many lines there are, its last hash, and each fault."""

    entries: int
    head: str
    faults: tuple[Fault, ...]


def link(before: str, row: Row) -> str:
    """Return the hash of a line that follows the line with hash `before`."""
    return hashlib.sha256(f"{before}\n{canonical(list(row))}".encode()).hexdigest()


def begin(connection: sqlite3.Connection) -> None:
    """Chain the lines that stand in a journal, and keep the chain's head."""
    connection.execute(HEAD)
    seq, last = 0, GENESIS
    rows = connection.execute(_ROWS.replace(", hash", "")).fetchall()
    for row in rows:
        seq, last = row[0], link(last, row)
        connection.execute("update entries set hash = ? where seq = ?", (last, seq))
    connection.execute("insert into head values (1, ?, ?, 0)", (seq, last))


def verified(connection: sqlite3.Connection, expected: str = "") -> Verified:
    """Walk the chain; `expected` is a hash that was noted elsewhere and must still be in it."""
    ((head_seq, head),) = connection.execute("select seq, hash from head")
    lines = connection.execute(_ROWS)
    return walked(lines, (head_seq, head), expected, base=pruned_to(connection))


def pruned_to(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return the last line that was taken out, and its hash: where the chain begins now."""
    ((tables,),) = connection.execute("select count(*) from sqlite_master where name = 'pruned'")
    found = connection.execute("select seq, hash from pruned").fetchone() if tables else None
    return (int(found[0]), str(found[1])) if found else (0, GENESIS)


def prune(connection: sqlite3.Connection, until: int) -> tuple[int, str]:
    """Take out the lines up to `until`; return how many they were, and the hash of the last."""
    connection.execute(PRUNED)
    row = connection.execute("select hash from entries where seq = ?", (until,)).fetchone()
    if row is None:
        return 0, ""
    gone = connection.execute("delete from entries where seq <= ?", (until,)).rowcount
    connection.execute("insert or replace into pruned values (1, ?, ?)", (until, row[0]))
    return gone, str(row[0])


def walked(
    lines: Iterable[Sequence[Any]],
    head: tuple[int, str],
    expected: str = "",
    *,
    base: tuple[int, str] = (0, GENESIS),
) -> Verified:
    """Walk the chain in these lines, in order, each with its hash at the end, from `base` on."""
    faults: list[Fault] = []
    count, seen = 0, False
    last_seq, last = base
    for *line, stored in lines:
        row: Row = (line[0], line[1], line[2], line[3], line[4], line[5])
        if row[0] != last_seq + 1:
            faults.append(Fault(seq=last_seq + 1, what=_missing(last_seq + 1, row[0] - 1)))
        elif link(last, row) != stored:
            faults.append(
                Fault(
                    seq=row[0],
                    what=f"line {row[0]} ({row[1]} #{row[2]}, {row[3]}) "
                    "was edited, or the one before it",
                )
            )
        count, last_seq, last = count + 1, row[0], stored
        seen = seen or stored == expected
    faults += _at_the_end(last_seq, last, *head)
    if expected and not seen:
        what = f"no line has the hash {expected[:16]}: the journal was written anew"
        faults.append(Fault(seq=0, what=what))
    return Verified(entries=count, head=last, faults=tuple(faults))


def _at_the_end(seq: int, last: str, head_seq: int, head: str) -> Iterator[Fault]:
    if head_seq > seq:
        yield Fault(seq=seq + 1, what=_missing(seq + 1, head_seq))
    elif head_seq < seq:
        yield Fault(seq=head_seq + 1, what=f"lines from {head_seq + 1} on were added by others")
    elif head != last:
        yield Fault(seq=seq, what=f"line {seq} has another hash than the head of the chain")


def _missing(first: int, last: int) -> str:
    return f"line {first} is missing" if first >= last else f"lines {first} to {last} are missing"
