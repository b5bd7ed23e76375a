"""CPU and node repaired by commands, as kubectl shows it; and a drain that is killed half way."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.surfaces.terminals import (
    Daemon,
    Terminal,
    entries_of,
    exported,
    kubectl,
    lab_of_a_user,
)

pytestmark = [pytest.mark.slow, pytest.mark.soak]


@pytest.fixture
def bare_terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with lab_of_a_user(tmp_path_factory.mktemp("user"), "--no-engine") as user:
        yield user


def shown(terminal: Terminal, *words: str) -> Any:
    return json.loads(kubectl(terminal, "get", *words, "-o", "json", "--show-managed-fields"))


def ours(found: Any) -> str:
    """What kubectl shows as managed by petops."""
    managed = found["metadata"]["managedFields"]
    return json.dumps([one["fieldsV1"] for one in managed if one["manager"] == "petops"])


def digest_of(found: Any, remedy: str) -> str:
    return str(next(one["digest"] for one in found["remedies"] if one["name"] == remedy))


def test_a_cpu_limit_that_was_raised_is_seen_by_kubectl(bare_terminal: Terminal) -> None:
    terminal = bare_terminal
    daemon = Daemon(terminal)
    try:
        terminal.run("chaos", "inject", "cpu-throttling")
        found = terminal.until("INC-0001", "waiting")
        names = [one["name"] for one in found["remedies"]]
        assert names[:3] == ["raise-cpu-limit", "create-hpa", "scale-out"]
        terminal.run("approve", "INC-0001", digest_of(found, "raise-cpu-limit"))
        terminal.until("INC-0001", "recovered", "verified")
        (change,) = exported(terminal)["changes"]
        pods = shown(terminal, "pods", "-l", "petops.dev/scenario=cpu-throttling")["items"]
        (pod,) = (one for one in pods if one["status"]["phase"] == "Running")
        assert pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "400m"
        assert "f:cpu" in ours(pod)
        owner = shown(terminal, "deployment", found["diagnosis"]["subject"]["name"])
        assert owner["metadata"]["annotations"]["petops.dev/act"] == change["act"]
        assert "f:petops.dev/act" in ours(owner)
    finally:
        daemon.end(signal.SIGTERM)


def test_a_drain_goes_on_where_it_was_after_kill_9(bare_terminal: Terminal) -> None:
    terminal = bare_terminal
    daemon = Daemon(terminal)
    try:
        terminal.run("chaos", "inject", "node-pressure")
        found = terminal.until("INC-0001", "waiting")
        node = found["diagnosis"]["subject"]["name"]
        names = [one["name"] for one in found["remedies"]]
        assert names[0] == "cordon-node"
        assert {"drain-node", "add-nodes"} <= set(names)
        before = {
            one["metadata"]["uid"]
            for one in shown(terminal, "pods", "--field-selector", f"spec.nodeName={node}")["items"]
            if one["status"]["phase"] == "Running"
        }
        alone = ("--break-glass", "nobody else is awake")
        approval = terminal.start("approve", "INC-0001", digest_of(found, "drain-node"), *alone)
        while "act-progressed" not in entries_of(daemon.journal):
            pass
        daemon.end(signal.SIGKILL)
        approval.communicate(timeout=30)
        daemon.process = daemon.started()
        terminal.until("INC-0001", "watching", "recovered")
        kinds = entries_of(daemon.journal)
        assert kinds.count("act-intended") == 1
        assert kinds.count("remedy-applied") == 1
        assert kinds.count("break-glass-used") == 1
        (change,) = exported(terminal)["changes"]
        closed = shown(terminal, "node", node)
        assert closed["spec"]["unschedulable"] is True
        assert "f:unschedulable" in ours(closed)
        assert closed["metadata"]["annotations"]["petops.dev/act"] == change["act"]
        left = shown(terminal, "pods", "--field-selector", f"spec.nodeName={node}")["items"]
        assert before.isdisjoint(one["metadata"]["uid"] for one in left)
        for one in shown(terminal, "deployments")["items"]:
            assert one["status"]["readyReplicas"] == one["spec"]["replicas"]
        terminal.until("INC-0001", "recovered")
    finally:
        daemon.end(signal.SIGTERM)
