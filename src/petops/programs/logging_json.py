"""The daemon's log as JSON lines: what it says, and one line an entry, with its incident's id."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final

from petops.domain.events import NO_INCIDENT, Entry
from petops.engine.engine import Engine
from petops.programs.telling import told
from petops.wire import kind_of

_LOGGER: Final = logging.getLogger("petops.daemon")


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line; what is no text of JSON is escaped."""
        document: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=True)


def as_json() -> Callable[[str], None]:
    """Log everything of this process as JSON lines on stderr; return what says a sentence."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _LOGGER.setLevel(logging.INFO)
    return _LOGGER.info


async def entries_logged(engine: Engine) -> None:
    """Log each entry from now on, without end."""
    await logged(engine.entries((await engine.board()).seq))


async def logged(entries: AsyncIterator[Entry]) -> None:
    """Log these entries."""
    async for entry in entries:
        lines = told(entry.event)
        fields = {
            "incident": entry.incident if entry.incident != NO_INCIDENT else None,
            "seq": entry.seq,
            "event": kind_of(type(entry.event)),
        }
        said = lines[0].text if lines else kind_of(type(entry.event))
        _LOGGER.info("%s", said, extra={"fields": fields})
