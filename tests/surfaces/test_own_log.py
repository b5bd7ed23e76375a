"""What went wrong in petops itself goes to a file, and to stderr where there can be none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from petops.programs import own_log
from petops.programs.own_log import MOST_BYTES, NAME, OwnLog


def mistake(handler: OwnLog, text: str = "a mistake") -> None:
    told = (ValueError, ValueError(text), None)
    handler.handle(logging.LogRecord("petops.engine", logging.ERROR, "", 0, "%s", ("a bug",), told))


def test_a_mistake_stands_in_the_file_with_all_that_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    handler = OwnLog(folder)
    assert not folder.exists()
    mistake(handler, "\ud800 not a letter")
    text = (folder / NAME).read_text()
    assert "petops.engine ERROR a bug" in text
    assert "ValueError: \\ud800 not a letter" in text


def test_the_file_has_a_bound_and_the_one_before_is_kept(tmp_path: Path) -> None:
    handler = OwnLog(tmp_path)
    (tmp_path / NAME).write_text("x" * (MOST_BYTES + 1))
    mistake(handler)
    assert (tmp_path / NAME).stat().st_size < 1000
    assert (tmp_path / "petops.1.log").stat().st_size > MOST_BYTES


def test_where_no_file_can_be_it_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    mistake(OwnLog(tmp_path / "file"))
    assert "a bug" in capsys.readouterr().err


def test_it_is_set_up_once() -> None:
    log = logging.getLogger("petops")
    before = list(log.handlers)
    try:
        own_log.kept()
        own_log.kept()
        assert sum(isinstance(one, OwnLog) for one in log.handlers) == 1
    finally:
        log.handlers[:] = before
