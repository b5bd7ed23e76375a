"""The container image, as far as it can be judged without building one."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import petops

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonicalize_name(each): version for each, version in found}


def test_the_image_runs_what_the_gate_tested() -> None:
    tested = locked("dev.lock")
    assert {name: tested.get(name) for name in locked("run.lock")} == locked("run.lock")


def test_the_image_has_what_petops_needs_and_no_tool_of_development() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {
        canonicalize_name(Requirement(one).name) for one in project["project"]["dependencies"]
    }
    assert needed <= set(locked("run.lock")), "run make lock"
    assert not {"pytest", "mypy", "ruff", "moto", "hatchling", "flask"} & set(locked("run.lock"))


def test_packages_are_installed_by_their_hashes_only() -> None:
    installs = re.findall(r"pip .*?install(?:.*\\\n)*.*", DOCKERFILE)
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]


def test_it_runs_as_nobody_in_particular() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert "USER 65532:65532" in last
    assert "RUN " not in last, "the last stage only takes what the first one made"


def test_the_version_is_the_package_s_own() -> None:
    assert f"--tag petops:{petops.__version__} " in DOCKERFILE
    for path in (ROOT / "manifests" / "base").glob("*.yaml"):
        for tag in re.findall(r"image: petops:(\S+)", path.read_text(encoding="utf-8")):
            assert tag == petops.__version__, path
