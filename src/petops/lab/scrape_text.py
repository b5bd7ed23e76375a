"""Scrapes as they were written down: Prometheus' text format, or OpenMetrics with exemplars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from petops.errors import UsageError
from petops.lab.exposition import Sample

# Prometheus writes milliseconds since 1970, OpenMetrics seconds. Before this they are seconds: as
# milliseconds it is 1973.
_MILLISECONDS_FROM: Final = 100_000_000_000
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_LINE: Final = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*"
    rf"(?:\{{(?P<labels>(?:[^\"}}]|{_QUOTED})*)\}})?"
    r"[ \t]*(?P<value>[^\s{]+)(?:[ \t]+(?P<at>-?[0-9.eE+]+))?[ \t]*(?P<rest>#.*)?"
)
_LABEL: Final = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*({_QUOTED})\s*(?:,|$)")
_ESCAPED: Final = re.compile(r"\\(.)")
_MEANT: Final = {"n": "\n"}
_UTF8_NAME: Final = '{"'
"""Prometheus 3 quotes names that have other letters. petops asks for none of those."""


def scraped_lines(file: Path) -> Iterator[Sample]:
    """Yield each sample of a file, with its own time where it has one.

    Raise UsageError for a line that is none, with its number.
    """
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                text = line.strip()
                if text and not text.startswith(("#", _UTF8_NAME)):
                    yield _sample(text, f"{file}, line {number}")
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror or exc}") from exc


def _sample(text: str, where: str) -> Sample:
    try:
        return _read(text)
    except (ValueError, OverflowError) as exc:
        raise UsageError(
            f"{where} is no sample: {text[:60]}", hint="docs/cases.md says what a case holds"
        ) from exc


def _read(text: str) -> Sample:
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    labels = tuple(_labels(found["labels"] or ""))
    at = None if found["at"] is None else _milliseconds(float(found["at"]))
    return Sample(found["name"], labels, float(found["value"]), at)


def _milliseconds(at: float) -> int:
    return round(at if abs(at) >= _MILLISECONDS_FROM else at * 1000)


def _labels(text: str) -> Iterator[tuple[str, str]]:
    end = 0
    for found in _LABEL.finditer(text):
        if found.start() != end:
            raise ValueError(text)
        end = found.end()
        yield found[1], _ESCAPED.sub(lambda one: _MEANT.get(one[1], one[1]), found[2][1:-1])
    if text[end:].strip():
        raise ValueError(text)
