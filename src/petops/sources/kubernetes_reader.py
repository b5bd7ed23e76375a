"""Reading objects and lists from a Kubernetes API, with a record of every request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from petops.domain.evidence import Asked
from petops.domain.subject import Subject
from petops.errors import NotThereError, SourceError
from petops.ports import KubernetesCalls, object_path

Json = Any

_PAGE: Final = "500"
_MOST_PAGES: Final = 20
_AT_ONCE: Final = 8
_GONE: Final = 410


@contextmanager
def one_failure() -> Iterator[None]:
    """Raise what failed in a TaskGroup as itself; a bug comes before a source's failure."""
    try:
        yield
    except ExceptionGroup as failed:
        raise min(failed.exceptions, key=lambda one: isinstance(one, SourceError)) from failed


class Reader:
    """The reads of one question; `asked` holds each request as it was sent."""

    def __init__(self, calls: KubernetesCalls) -> None:
        self._calls = calls
        self._asked: list[Asked] = []
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @property
    def asked(self) -> tuple[Asked, ...]:
        return tuple(self._asked)

    async def get(self, subject: Subject) -> Json:
        """Return one object; raise NotThereError where there is none."""
        body = await self._read(object_path(subject), {}, str(subject))
        if not isinstance(body, Mapping) or not isinstance(body.get("metadata"), Mapping):
            raise SourceError(
                f"what answers for Kubernetes at {object_path(subject)} is no API server"
            )
        return body

    async def find(self, subject: Subject) -> Json | None:
        """Return one object, None where there is none."""
        try:
            return await self.get(subject)
        except NotThereError:
            return None

    async def every(self, path: str, **selectors: str) -> list[Json]:
        """Return a whole list, page by page; begin again once if a page's token is too old."""
        try:
            return await self._pages(path, selectors)
        except _TooOldError:
            return await self._pages(path, selectors)

    async def some(self, path: str, pages: int = 2, **selectors: str) -> tuple[list[Json], bool]:
        """Return the first pages of a list, and whether it goes on."""
        items: list[Json] = []
        query = {**selectors, "limit": _PAGE}
        for _ in range(pages):
            found, token = await self._page(path, query)
            items += found
            if not token:
                return items, False
            query = {**query, "continue": token}
        return items, True

    async def text(self, path: str, **query: str) -> Json:
        """Return what is answered at `path`, of whatever form: logs are no JSON."""
        return await self._read(path, query, path)

    async def _pages(self, path: str, selectors: Mapping[str, str]) -> list[Json]:
        items: list[Json] = []
        query = {**selectors, "limit": _PAGE}
        for _ in range(_MOST_PAGES):
            found, token = await self._page(path, query)
            items += found
            if not token:
                return items
            query = {**query, "continue": token}
        raise SourceError(
            f"{path} lists more than {_MOST_PAGES * int(_PAGE)} objects: too many to read"
        )

    async def _page(self, path: str, query: Mapping[str, str]) -> tuple[list[Json], str]:
        body = await self._read(path, query, f"list {path}")
        if not isinstance(body, Mapping) or not isinstance(body.get("items"), Sequence):
            raise SourceError(f"what answers for Kubernetes at {path} is no API server")
        return list(body["items"]), str((body.get("metadata") or {}).get("continue") or "")

    async def _read(self, path: str, query: Mapping[str, str], what: str) -> Json:
        text = "&".join(f"{key}={quote(value, safe=',=!()/.')}" for key, value in query.items())
        self._asked.append(
            Asked(source="kubernetes", query=f"GET {path}{'?' if text else ''}{text}")
        )
        async with self._slots:
            answer = await self._calls.request("GET", path, query=query or None)
        if answer.status == _GONE and "continue" in query:
            raise _TooOldError(f"the list {path} changed too much while it was read")
        if failure := answer.failure(what):
            raise failure
        return answer.body


class _TooOldError(SourceError):
    """A list's continuation is no longer served."""
