"""Every command of the documentation, run as it stands on the lab.

A block of `bash` runs, page by page, top to bottom; one marked `bash cloud` needs an account or a
cluster of one's own, and is looked at instead: its commands and options exist.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from petops.commands.main import app
from tests.aws_cli import arguments, operation

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ("prerequisites", "install", "troubleshooting", "demo-scenarios", "prometheus-mcp-guide")
BLOCK = re.compile(r"^```bash( cloud)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
KUBECTL = ROOT / ".tools" / "kubectl"
INSTALLED = """
kubectl wait --for=delete namespace/devops-agent --timeout=60s || true
kubectl apply -k manifests/overlays/read-only
kubectl create secret generic devops-agent -n devops-agent --from-literal=mcp-token=anything
kubectl rollout status deployment/prometheus-mcp-server -n devops-agent --timeout 60s
"""
OTHERS = {"docker", "eksctl", "curl", "sleep", "kill"}


def blocks(page: str, *, cloud: bool) -> list[str]:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return [found[2] for found in BLOCK.finditer(text) if bool(found[1]) is cloud]


def lines(page: str, *, cloud: bool) -> list[str]:
    text = "".join(blocks(page, cloud=cloud)).replace("\\\n", " ")
    return [one for one in text.splitlines() if one and not one.startswith("#")]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a shell on a lab with an engine, where `aws` and `kubectl` are found."""
    home = tmp_path_factory.mktemp("home")
    programs = home / "bin"
    programs.mkdir()
    here = Path(sys.executable).parent
    for name, command in {
        "petops": f'exec {here}/python -m petops "$@"',
        "aws": f'exec {here}/python {ROOT}/tests/aws_cli.py "$@"',
        "kubectl": f'exec {KUBECTL} "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    environment = {
        "PATH": f"{programs}:{here}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "PYTHONPATH": str(ROOT),
    }
    try:
        shell("petops lab up --detach", environment, home)
        status = json.loads(shell("petops lab status --json", environment, home))
        yield environment | status["environment"]
    finally:
        shell("petops lab down", environment, home)


def shell(script: str, environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - the documentation's own words
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", [one for one in PAGES if blocks(one, cloud=False)])
def test_a_page_can_be_followed_on_the_lab(
    page: str, terminal: Mapping[str, str], tmp_path: Path
) -> None:
    if not KUBECTL.exists():
        pytest.skip("there is no .tools/kubectl; `make test` gets it")
    (tmp_path / "manifests").symlink_to(ROOT / "manifests")
    if page == "troubleshooting":  # of what is installed
        shell(INSTALLED, terminal, tmp_path)
    for block in blocks(page, cloud=False):
        shell(block, terminal, tmp_path)


@pytest.mark.parametrize("page", PAGES)
def test_what_needs_a_cloud_is_at_least_spelt_right(page: str) -> None:
    for line in lines(page, cloud=True):
        words = shlex.split(line)
        if words[0] == "petops":
            exists(words[1:])
        elif words[0] == "aws" and words[1] != "cloudformation":
            arguments(operation(words[1], words[2]), words[3:])
        else:
            assert words[0] in OTHERS | {"kubectl", "aws"}, line
        for path in re.findall(r"(?<![\w/])manifests/[\w/.-]+", line):
            assert (ROOT / path).exists(), line


def exists(words: list[str]) -> None:
    path: list[str] = []
    for word in (one for one in words[:3] if not one.startswith("-")):
        if CliRunner().invoke(app, [*path, word, "--help"]).exit_code == 0:
            path.append(word)
    assert path, words
    shown = CliRunner().invoke(app, [*path, "--help"]).output
    for option in (one for one in words if one.startswith("-")):
        assert option.partition("=")[0] in shown, words


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_running_text_exists(page: str) -> None:
    """`petops …` between backticks, too."""
    text = BLOCK.sub("", (DOCS / f"{page}.md").read_text(encoding="utf-8"))
    for found in re.findall(r"`petops ([a-z][^`]*)`", text):
        exists(shlex.split(found))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for target, _, part in (
        found.partition("#") for found in re.findall(r"\]\((?!http)([^)\s]+)\)", text)
    ):
        path = (DOCS / target) if target else DOCS / f"{page}.md"
        assert path.exists(), target
        if part:
            heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert part in {
                re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in heads
            }


def test_no_block_is_of_a_kind_that_is_not_run() -> None:
    for page in PAGES:
        kinds = re.findall(r"^```(\S.*)$", (DOCS / f"{page}.md").read_text("utf-8"), re.MULTILINE)
        assert set(kinds) <= {"bash", "bash cloud", "json", "yaml", "toml"}, page
