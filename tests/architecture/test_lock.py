"""The locks say which files, never where from: that is for pip's own settings to decide."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)", re.MULTILINE)


def locked() -> dict[str, str]:
    text = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    return {canonicalize_name(m["name"]): m["version"] for m in ENTRY.finditer(text)}


def declared() -> list[str]:
    """Every requirement of pyproject.toml: to run, for the lab, to develop and to build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    return [
        *project["project"]["dependencies"],
        *(line for extra in extras.values() for line in extra),
        *(line for group in groups.values() for line in group),
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--[a-z-]*(index|find-links|trusted-host))", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_version_has_a_hash(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    starts = [m.start() for m in ENTRY.finditer(text)]
    entries = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("line", declared())
def test_the_lock_satisfies_pyproject(line: str) -> None:
    requirement = Requirement(line)
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, "run make lock"
    assert requirement.specifier.contains(version, prereleases=True), "run make lock"
