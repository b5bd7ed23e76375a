"""What import-linter cannot see: sizes, names, and third parties that nobody thought to forbid."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "petops"
MODULES = sorted(PACKAGE.rglob("*.py"))
BANNED = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "core", "misc"}
PURE = ("domain", "engine", "remedies", "playbooks")
LONGEST = 330


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Every absolute import's top-level name, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case _:
                pass


def test_there_are_modules_to_look_at() -> None:
    assert PACKAGE / "__init__.py" in MODULES


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_can_be_read_in_one_go(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{lines} lines: name the second thing it does, and move that out"


def test_no_module_has_a_name_that_says_nothing() -> None:
    parts = {part for path in MODULES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert not parts & BANNED


def test_every_folder_with_code_is_a_package() -> None:
    missing = {
        relative(path.parent) for path in MODULES if not (path.parent / "__init__.py").exists()
    }
    assert not missing, "import-linter does not look into a folder without __init__.py"


def test_from_the_engine_down_only_the_standard_library_is_imported() -> None:
    allowed = sys.stdlib_module_names | {"petops"}
    pure = [
        path
        for path in MODULES
        if path.relative_to(PACKAGE).parts[0] in {*PURE, "ports", "errors.py"}
    ]
    foreign = {relative(path): set(imported(path)) - allowed for path in pure}
    assert not {path: names for path, names in foreign.items() if names}


def test_only_one_line_names_the_version() -> None:
    named = [path for path in MODULES if "__version__ =" in path.read_text(encoding="utf-8")]
    assert named == [PACKAGE / "__init__.py"]
