"""What the README says can be typed, can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from petops.commands.main import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
OPTIONS_OF_PETOPS = {"--install-completion"}


def commands() -> list[str]:
    """Every petops command in a shell block, and each alternative of the table."""
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line.partition("#")[0].strip() for line in lines if line.startswith("petops ")]


@pytest.mark.parametrize("command", commands())
def test_each_command_exists_with_its_options(command: str) -> None:
    words = shlex.split(command)[1:]
    if words[0] in OPTIONS_OF_PETOPS:
        return
    known = [word for word in words if not word.startswith("-")]
    path: list[str] = []
    for word in known[:2]:
        if CliRunner().invoke(app, [*path, word, "--help"]).exit_code == 0:
            path.append(word)
    shown = CliRunner().invoke(app, [*path, "--help"])
    assert path, command
    assert shown.exit_code == 0
    for option in (word for word in words if word.startswith("-")):
        assert option.partition("=")[0] in shown.output, command


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)\)", TEXT))
def test_each_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("path", re.findall(r"--case (\S+)", TEXT))
def test_each_case_is_there(path: str) -> None:
    assert path == "DIR`" or (ROOT / path).is_dir()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bmake (\w+)", TEXT))))
def test_each_make_target_exists(name: str) -> None:
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
