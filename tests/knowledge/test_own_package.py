"""The documented package, built and installed as a reader would, seen by the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.knowledge.written import example

pytestmark = pytest.mark.slow
RECORDINGS = Path(__file__).parents[1] / "recordings"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on Python's path with the package in it, from the wheel that its project makes."""
    project = tmp_path_factory.mktemp("project")
    pages = project / "acme_petops" / "runbooks"
    pages.mkdir(parents=True)
    (project / "pyproject.toml").write_text(example("pyproject.toml"))
    (project / "acme_petops" / "__init__.py").touch()
    (project / "acme_petops" / "certificates.py").write_text(example("certificates.py"))
    (pages / "__init__.py").touch()
    (pages / "history-leaks.md").write_text(example("history-leaks.md"))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=120)  # noqa: S603
    (wheel,) = (project / "dist").glob("*.whl")
    installed = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(installed)
    return installed


def told(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: one for key, one in os.environ.items() if not key.startswith("PETOPS_")}
    command = [sys.executable, "-m", "petops", *arguments]
    return subprocess.run(  # noqa: S603 - our own program
        command,
        env={**inherited, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_catalogues_list_what_the_package_brings(site: Path) -> None:
    checked = told(site, "runbooks", "check")
    assert (checked.returncode, checked.stdout) == (0, "right  history-leaks\n"), checked.stderr
    assert "  certificate has run out  (package acme-petops)" in told(site, "modes").stdout
    assert "certificate-days-left  How long does its certificate last?" in (
        told(site, "modes", "certificate-expired").stdout
    )
    assert "# Before you restart" in told(site, "runbooks", "show", "history-leaks").stdout


def test_a_case_is_scored_with_it_and_with_its_settings(site: Path, tmp_path: Path) -> None:
    settings = tmp_path / "petops.toml"
    table = '[[source]]\nname = "inventory"\n[source.days_left]\n"oomkill/orders-api" = -2\n'
    settings.write_text(table)
    case = RECORDINGS / "oomkill"
    found = told(site, "--config", str(settings), "investigate", "--case", str(case), "--json")
    document = json.loads(found.stdout)
    assert document["diagnosis"]["mode"] == "certificate-expired"
    healthy = json.loads(told(site, "investigate", "--case", str(case), "--json").stdout)
    assert healthy["diagnosis"]["mode"] == "memory-leak"
    rivals = {one["mode"]: one["because"] for one in healthy["rivals"]}
    assert rivals["certificate-expired"] == "its certificate is valid"
    scored = told(site, "--config", str(settings), "eval", str(case), "--json")
    assert json.loads(scored.stdout)["right"] == 0
