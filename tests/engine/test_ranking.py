"""Which finding is the cause, what joins it, and what is broken besides."""

from __future__ import annotations

from dataclasses import replace

from petops.domain.diagnosis import Finding, Row, Verdict, Weighs
from petops.domain.subject import Kind, Subject
from petops.engine.ranking import ranked
from tests.recorded import CLUSTER, deployment

WEB = deployment("shop", "web")
NODE = Subject(cluster=CLUSTER, kind=Kind.NODE, name="node-a")


def finding(mode: str, confidence: float = 0.8, **more: object) -> Finding:
    row = Row(mode=mode, step="x", statement=mode, seen="x", refuted_if="x", weighs=Weighs.FOR)
    values: dict[str, object] = {
        "mode": mode,
        "verdict": Verdict.SUPPORTED,
        "confidence": confidence,
        "because": mode,
        "rows": (row,),
        "subject": WEB,
    }
    return Finding(**(values | more))  # type: ignore[arg-type]


def test_what_explains_another_is_the_cause_though_less_sure_of_itself() -> None:
    rollout = finding(
        "bad-rollout", 0.97, began_with_revision=3, good_revision=1, remedies=("undo-rollout",)
    )
    pull = finding("image-pull", 0.6, explains=("bad-rollout",), remedies=("fix-image",))
    found = ranked([rollout, pull])
    assert found.cause is not None
    assert found.cause.mode == "image-pull"
    assert found.cause.remedies == ("undo-rollout", "fix-image")
    assert (found.cause.began_with_revision, found.cause.good_revision) == (3, 1)
    assert [row.mode for row in found.cause.rows] == ["image-pull", "bad-rollout"]
    assert found.rivals == found.also_broken == ()


def test_what_is_explained_through_another_joins_as_well() -> None:
    found = ranked(
        [
            finding("no-endpoints"),
            finding("failing-probe", explains=("no-endpoints",)),
            finding("bad-rollout", explains=("failing-probe",)),
        ]
    )
    assert found.cause is not None
    assert found.cause.mode == "bad-rollout"
    assert {row.mode for row in found.cause.rows} == {
        "bad-rollout",
        "failing-probe",
        "no-endpoints",
    }


def test_independent_faults_are_told_and_the_surest_comes_first() -> None:
    found = ranked([finding("hpa-maxed", 0.6), finding("crash-loop", 0.9)])
    assert found.cause is not None
    assert found.cause.mode == "crash-loop"
    assert [one.mode for one in found.also_broken] == ["hpa-maxed"]


def test_a_fault_of_another_workload_is_not_explained() -> None:
    other = finding("bad-rollout", 0.7, subject=deployment("shop", "cart"))
    found = ranked([finding("image-pull", explains=("bad-rollout",)), other])
    assert [one.mode for one in found.also_broken] == ["bad-rollout"]


def test_a_node_reaches_what_runs_on_it_but_brings_no_rollout_back() -> None:
    rollout = finding("bad-rollout", began_with_revision=3, good_revision=1)
    down = finding("node-not-ready", subject=NODE, explains=("bad-rollout",), remedies=("cordon",))
    found = ranked([rollout, down])
    assert found.cause is not None
    assert found.cause.mode == "node-not-ready"
    assert found.cause.remedies == ("cordon",)
    assert found.cause.good_revision is None


def test_what_is_not_sure_enough_is_no_cause() -> None:
    weak = finding("crash-loop", 0.4)
    undecided = replace(finding("memory-leak", 0.9), verdict=Verdict.UNDECIDED)
    found = ranked([weak, undecided])
    assert found.cause is None
    assert found.rivals == (weak, undecided)


def test_a_weak_finding_may_be_evidence_for_a_cause() -> None:
    weak = finding("bad-rollout", 0.4, began_with_revision=2, good_revision=1)
    found = ranked([weak, finding("memory-leak", explains=("bad-rollout",))])
    assert found.cause is not None
    assert found.cause.good_revision == 1


def test_two_that_explain_each_other_do_not_vanish() -> None:
    found = ranked([finding("a", 0.7, explains=("b",)), finding("b", 0.8, explains=("a",))])
    assert found.cause is not None
    assert found.cause.mode == "b"


def test_nothing_found_is_an_answer() -> None:
    assert ranked([]).cause is None
