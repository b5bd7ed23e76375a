"""`petops investigate --case` on a real cluster's answers, through the production adapters."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.request_shop import PAY, TABLE, Shop, Wrong

pytestmark = pytest.mark.slow
RECORDINGS = Path(__file__).parents[1] / "recordings"
CAUSE, NO_CAUSE = 0, 3


def investigated(case: Path, *, path: str | None = None) -> tuple[int, Any, str]:
    environment = {"PATH": os.environ["PATH"] if path is None else path, "HOME": "/nonexistent"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", "investigate", "--case", str(case), "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def test_the_recorded_leak_is_named_and_the_undo_is_preferred() -> None:
    status, found, _ = investigated(RECORDINGS / "oomkill")
    assert status == CAUSE
    assert found["diagnosis"]["mode"] == "memory-leak"
    assert found["diagnosis"]["subject"] == {
        "kind": "Deployment",
        "namespace": "oomkill",
        "name": "orders-api",
    }
    first = found["remedies"][0]
    assert first["name"] == "undo-rollout"
    assert any("1.4.2" in line for line in first["diff"] if line.startswith("+"))
    assert first["inverse"]["edits"][0]["to"] == first["change"]["edits"][0]["was"]
    assert found["diagnosis"]["forecast"]["good_revision"] == 1


def test_where_nothing_is_wrong_there_is_no_cause_and_no_remedy(tmp_path: Path) -> None:
    healthy = tmp_path / "healthy"
    shutil.copytree(RECORDINGS / "rollout-stuck", healthy)
    (healthy / "alarm.json").unlink()
    for name in ("pods", "replicasets", "deployments"):
        listed = json.loads((healthy / f"{name}.json").read_text())
        listed["items"] = [one for one in listed["items"] if _is_well(one)]
        (healthy / f"{name}.json").write_text(json.dumps(listed))
    status, found, said = investigated(healthy)
    assert status == NO_CAUSE
    assert "has no alarm.json" in said
    assert found["diagnosis"] is None
    assert found["no_cause"]
    assert found["remedies"] == []


def _is_well(one: Any) -> bool:
    """Keep the first revision only, and make it the Deployment's."""
    if "replicas" in one["spec"] and "strategy" in one["spec"]:
        one["spec"]["template"]["spec"]["containers"][0]["env"] = []
        one["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
        one["status"] |= {"replicas": 2, "updatedReplicas": 2, "unavailableReplicas": 0}
        one["status"]["conditions"] = []
        return True
    return bool(one["metadata"]["name"].startswith("web-57878585b"))


def test_every_recorded_case_is_scored_right() -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", "eval", str(RECORDINGS), "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    found = json.loads(done.stdout)
    assert [(one["case"], one["wrong"]) for one in found["cases"] if not one["right"]] == []
    assert done.returncode == 0
    assert found["right"] == found["of"] >= 16
    assert all(row["right"] == row["named"] for row in found["calibration"])
    for one in found["cases"]:
        assert one["remedy"]


def test_a_wrong_verdict_and_a_broken_case_are_told_apart(tmp_path: Path) -> None:
    shutil.copytree(RECORDINGS / "crashloop", tmp_path / "wrong")
    (tmp_path / "wrong" / "expected.json").write_text('{"mode": null, "remedy": null}')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "expected.json").write_text("[]")
    shutil.copytree(RECORDINGS / "crashloop", tmp_path / "odd")
    (tmp_path / "odd" / "cadvisor.prom").write_text("<html>502</html>")
    shutil.copytree(RECORDINGS / "crashloop", tmp_path / "unalarmed")
    (tmp_path / "unalarmed" / "alarm.json").write_text("[1]")
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", "eval", str(tmp_path)],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "mode crash-loop, not none" in done.stdout
    assert "expected.json names no mode" in done.stdout
    assert "odd/cadvisor.prom, line 1 is no sample" in done.stdout
    assert "neither an EventBridge event nor an Alertmanager payload" in done.stdout
    assert "0 of 4 right" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_case_as_kubectl_writes_it_and_without_its_nodes_has_the_same_cause(
    tmp_path: Path,
) -> None:
    shutil.copytree(RECORDINGS / "crashloop", tmp_path / "case")
    for file in (tmp_path / "case").glob("*.json"):
        found = json.loads(file.read_text())
        kind = found.get("kind", "").removesuffix("List")
        if not kind:
            continue
        items = [{"apiVersion": found["apiVersion"], "kind": kind, **one} for one in found["items"]]
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    (tmp_path / "case" / "nodes.json").unlink()
    (tmp_path / "case" / "node.prom").write_text("node_load1 0.5\n")
    status, found, _ = investigated(tmp_path / "case")
    assert status == CAUSE
    assert found["diagnosis"]["mode"] == "crash-loop"
    assert any(one["step"] == "node-conditions" for one in found["gaps"])


def test_every_key_of_the_contract_stands_always() -> None:
    wanted = {
        *("incident", "phase", "priority", "category", "alarm", "diagnosis", "evidence"),
        *("rivals", "gaps", "also_broken", "remedies", "timings"),
    }
    for case in ("oomkill", "crashloop"):
        _, found, _ = investigated(RECORDINGS / case)
        assert wanted <= set(found)
        assert {"detect_seconds", "investigate_seconds", "total_seconds"} <= set(found["timings"])
        for row in found["evidence"]:
            assert row["verdict"] in {"for", "against", "not-measured"}
            assert {"mode", "step", "statement", "seen", "refuted_if", "query", "window"} <= set(
                row
            )


def test_a_folder_that_is_none_or_is_broken_is_said(tmp_path: Path) -> None:
    status, _, said = investigated(tmp_path / "none")
    assert status == 2
    assert "error:" in said
    shutil.copytree(RECORDINGS / "crashloop", tmp_path / "broken")
    (tmp_path / "broken" / "pods.json").write_text("{", encoding="utf-8")
    status, _, said = investigated(tmp_path / "broken")
    assert status == 2
    assert "pods.json" in said


def test_a_case_with_traces_tells_where_the_time_goes(tmp_path: Path) -> None:
    shop = Shop(wrong=Wrong(seconds={TABLE: 0.5}))
    written(shop, tmp_path)
    status, found, _ = investigated(tmp_path)
    assert status == CAUSE, found
    assert found["diagnosis"]["mode"] == "slow-dependency"
    assert found["diagnosis"]["subject"]["name"] == PAY
    assert TABLE in found["diagnosis"]["because"]
    assert found["diagnosis"]["confidence"] <= 0.6
    (tmp_path / "traces.json").unlink()
    status, found, _ = investigated(tmp_path)
    assert status == NO_CAUSE
    assert {"step": "service-map", "why": "the case holds no traces"} in found["gaps"]
    (tmp_path / "traces.json").write_text('{"Traces": 3}')
    status, _, said = investigated(tmp_path)
    assert status == 2
    assert "traces.json holds no traces" in said


KINDS = {
    "pods": ("v1", "PodList"),
    "services": ("v1", "ServiceList"),
    "nodes": ("v1", "NodeList"),
    "deployments": ("apps/v1", "DeploymentList"),
    "replicasets": ("apps/v1", "ReplicaSetList"),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSliceList"),
}


def written(shop: Shop, folder: Path) -> None:
    """Write the shop down as a case, with an alarm about what pays."""
    for path, objects in shop.api().objects.items():
        version, kind = KINDS[path.rpartition("/")[2]]
        listed = {"apiVersion": version, "kind": kind, "items": list(objects.values())}
        (folder / f"{path.rpartition('/')[2]}.json").write_text(json.dumps(listed))
    event = {
        "metadata": {"name": "now", "namespace": "shop", "uid": "now"},
        "involvedObject": {"kind": "Pod", "name": "x", "namespace": "shop"},
        "reason": "Pulled",
        "lastTimestamp": "2026-11-23T12:00:00Z",
    }
    events = {"apiVersion": "v1", "kind": "EventList", "items": [event]}
    (folder / "events.json").write_text(json.dumps(events))
    (folder / "traces.json").write_text(json.dumps({"Traces": shop.written_traces()}))
    labels = {"alertname": "HighLatency", "namespace": "shop", "deployment": shop.name(PAY)}
    alert = {"status": "firing", "labels": labels, "startsAt": "2026-11-23T11:57:00Z"}
    (folder / "alarm.json").write_text(
        json.dumps({"version": "4", "status": "firing", "alerts": [alert]})
    )
