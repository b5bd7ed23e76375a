"""The loop from several terminals: the lab up in one, every other a process of its own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from tests.surfaces.terminals import (
    Daemon,
    Terminal,
    entries_of,
    exported,
    kubectl,
    lab_of_a_user,
)

pytestmark = pytest.mark.slow
LEAKING = "petadoptionshistory-py-leak"


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with lab_of_a_user(tmp_path_factory.mktemp("user")) as user:
        yield user


@pytest.fixture
def bare_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A lab without an engine."""
    with lab_of_a_user(tmp_path_factory.mktemp("user"), "--no-engine") as user:
        yield user


def test_a_leak_is_found_approved_and_mitigated_from_three_terminals(terminal: Terminal) -> None:
    assert "no open incidents" in terminal.run("incidents")
    terminal.run("chaos", "inject", "memory-leak")
    assert "injected already" in terminal.run("chaos", "inject", "memory-leak", status=4)
    found = terminal.until("INC-0001", "waiting")
    assert found["diagnosis"]["mode"] == "memory-leak"
    assert found["alarm"]["cluster"] == "petops-lab"
    assert found["timings"]["investigate_seconds"] < 15
    restart = next(one for one in found["remedies"] if one["name"] == "restart-workload")
    assert restart["diff_by"] == "server dry run"
    short = restart["digest"].removeprefix("sha256:")[:8]

    before = kubectl(terminal, "get", "pods", "-o", "name")
    assert "no change with digest" in terminal.run("approve", "INC-0001", "0" * 12, status=4)
    terminal.run("approve", "INC-0001", short)
    assert "decided already" in terminal.run("approve", "INC-0001", short, status=4)
    terminal.until("INC-0001", "recovered", "mitigated")
    after = kubectl(terminal, "get", "pods", "-o", "name")
    leaking = {one for one in after.split() if "-leak-" in one}
    assert leaking
    assert leaking.isdisjoint(before.split())

    (act,) = (one["act"] for one in exported(terminal)["changes"])
    restarted = json.loads(
        kubectl(terminal, "get", "deployment", LEAKING, "-o", "json", "--show-managed-fields")
    )
    assert restarted["metadata"]["annotations"]["petops.dev/act"] == act
    (ours,) = (one for one in restarted["metadata"]["managedFields"] if one["manager"] == "petops")
    assert "f:kubectl.kubernetes.io/restartedAt" in json.dumps(ours["fieldsV1"])

    ended = terminal.until("INC-0001", "mitigated")
    assert ended["outcome"]["forecast"]["next_kill_at"]
    whole = terminal.run("incidents", "show", "INC-0001")
    for words in ("approved by lab-admin", "recovered:", "mitigated, not fixed", "MTTR"):
        assert words in whole
    terminal.run("chaos", "clean")
    assert "was not injected" in terminal.run("chaos", "clean")


def test_bad_input_gets_one_sentence(terminal: Terminal) -> None:
    cases = {
        ("incidents", "show", "INC-9999"): (2, "there is no incident"),
        ("chaos", "inject", "no-such"): (2, "there is no scenario"),
        ("chaos", "inject", "memory-leak", "--ttl", "soon"): (2, "time to live"),
        ("investigate", "no-such-alarm"): (2, "CloudWatch has no alarm"),
        ("investigate", "@/no/such/file"): (2, "cannot be read"),
        ("approve", "INC-9999", "0" * 8): (4, "there is no incident"),
        ("lab", "up"): (1, "a lab runs already"),
    }
    for words, (status, said) in cases.items():
        assert said in terminal.run(*words, status=status), words
    for given in ("", "{}", "[1]", "nonsense", '{"detail-type": "x", "source": "y"}'):
        assert "error:" in terminal.run("investigate", "-", status=1, given=given), given


def test_an_alarm_by_its_name_is_investigated_at_once(terminal: Terminal) -> None:
    name = "default-petadoptionshistory-py-memory"
    said = terminal.run("investigate", name, status=3)
    assert "incident INC-0001" in said
    found = terminal.until("INC-0001", "unexplained")
    assert found["diagnosis"] is None
    assert found["no_cause"]


@pytest.mark.soak  # minutes long: tests/engine/test_crashes.py has the same in virtual time
def test_the_engine_is_killed_at_entry_after_entry_and_acts_once(bare_terminal: Terminal) -> None:
    terminal = bare_terminal
    daemon = Daemon(terminal)
    try:
        terminal.run("chaos", "inject", "memory-leak")
        while "remedies-proposed" not in entries_of(daemon.journal):
            daemon.killed_at_the_next_entry()
        found = terminal.until("INC-0001", "waiting")
        digest = next(one for one in found["remedies"] if one["name"] == "restart-workload")
        approval = terminal.start("approve", "INC-0001", digest["digest"])
        while "remedy-applied" not in entries_of(daemon.journal):
            daemon.killed_at_the_next_entry()
            assert "act-failed" not in entries_of(daemon.journal)
        approval.communicate(timeout=30)
        daemon.killed_at_the_next_entry()
        terminal.until("INC-0001", "mitigated")
        kinds = entries_of(daemon.journal)
        assert kinds.count("remedy-approved") == 1
        assert kinds.count("act-intended") == 1
        assert kinds.count("remedy-applied") == 1
        generation = kubectl(
            terminal,
            *("get", "deployment", LEAKING),
            *("-o", "jsonpath={.metadata.generation}"),
        )
        assert generation == "2"
    finally:
        daemon.end(signal.SIGTERM)
