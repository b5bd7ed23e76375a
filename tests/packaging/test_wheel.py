"""petops as people install it: the wheel, by pip, pipx and uv, each in a folder of its own.

The wheel is the local one; what it depends on comes from the index, unlocked, as for anybody.
"""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import petops

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "petops"

pytestmark = pytest.mark.slow


def run(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Return what the command printed; an index of a package manager may take its time."""
    done = subprocess.run(  # noqa: S603 - the commands are those written below
        command,
        cwd=ROOT,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(env or {})},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(program: Path) -> None:
    """It runs from outside the work tree, and is the version that was built."""
    assert petops.__version__ in run(program, "--version", env={"PYTHONPATH": ""})
    assert "investigate" in run(program, "--help", env={"PYTHONPATH": ""})
    assert "kind: Deployment" in run(program, "manifests", env={"PYTHONPATH": ""})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with pipx and uv."""
    folder = tmp_path_factory.mktemp("tools")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin" / "pip", "install", "-qq", "pipx", "uv")
    return folder / "bin"


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = set(archive.namelist())
    expected = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    expected |= {
        f"petops/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "manifests").rglob("*")
        if path.is_file()
    }
    assert expected <= shipped
    assert not [name for name in shipped if name.startswith(("tests/", "benchmarks/"))]


def test_pip_installs_it_in_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(tmp_path / "venv" / "bin" / "pip", "install", "-qq", "--no-compile", wheel)
    answers(tmp_path / "venv" / "bin" / "petops")


def test_pipx_installs_it(wheel: Path, tools: Path, tmp_path: Path) -> None:
    env = {
        "PIPX_HOME": str(tmp_path / "home"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_MAN_DIR": str(tmp_path / "man"),
        "PIPX_DEFAULT_PYTHON": sys.executable,
    }
    run(tools / "pipx", "install", wheel, env=env)
    answers(tmp_path / "bin" / "petops")


def test_uv_installs_it(wheel: Path, tools: Path, tmp_path: Path) -> None:
    env = {
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    run(tools / "uv", "tool", "install", "--python", sys.executable, wheel, env=env)
    answers(tmp_path / "bin" / "petops")
