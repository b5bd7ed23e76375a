"""What every test has around it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

# looptime asks for the event loop in the first test that is not async; the policy would make one
# that nobody closes. Having been told "none", it makes none.
asyncio.set_event_loop(None)


class _Bugs(logging.Handler):
    """Keeps what the engine fenced in, which would otherwise pass for an answer that is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


@pytest.fixture(autouse=True)
def no_bug_is_fenced_in(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which the engine met a bug, unless the test is about that."""
    bugs, log = _Bugs(), logging.getLogger("petops.engine.fence")
    log.addHandler(bugs)
    yield
    log.removeHandler(bugs)
    if request.node.get_closest_marker("bug") is None:
        for one in bugs.seen:
            pytest.fail(logging.Formatter().format(one))
