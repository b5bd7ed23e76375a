"""The prompt for questions: it answers until the input ends, and an error ends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from petops.errors import SourceError
from petops.programs.asking_prompt import completions, prompted

SUGGESTED = {"names": ["petsite", "petsearch-java", "payforadoption-go"], "questions": ["cpu?"]}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the person will type; the history goes to a folder of the test."""
    lines: list[str] = []
    given: Iterator[str] = (lines.pop(0) if lines else "" for _ in range(100))
    monkeypatch.setattr("builtins.input", lambda _: next(given))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return lines


async def test_each_line_is_asked_until_one_says_the_end(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed += ["cpu of petsite", "nonsense", "memory", "exit", "never asked"]
    asked: list[str] = []

    async def answered(line: str) -> Mapping[str, Any]:
        asked.append(line)
        raise SourceError(f"nobody knows {line}", hint="ask another")

    assert await prompted(SUGGESTED, answered) == 0
    assert asked == ["cpu of petsite", "nonsense", "memory"]
    said = capsys.readouterr().err
    assert "cpu?" in said
    assert "error: nobody knows memory" in said
    assert "hint: ask another" in said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pet", ["petsite", "petsearch-java"]),
        ("JAVA", ["petsearch-java"]),
        ("", SUGGESTED["names"]),
        ("x", []),
    ],
)
def test_names_are_completed_from_their_beginning_first(text: str, found: list[str]) -> None:
    assert completions(SUGGESTED["names"], text) == found
