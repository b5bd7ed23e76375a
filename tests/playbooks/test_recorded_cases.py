"""Every recorded case, through the adapters: its true cause first, whatever is renamed or away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from petops.domain.alarm import AlarmSource, Category
from petops.domain.assessment import AssessmentRules, CategoryRule, assess
from petops.domain.subject import Kind, Subject
from petops.lab.recorded import recorded_at
from petops.playbooks import MODES
from petops.remedies import REMEDIES
from tests.adapters.fake_kubernetes_api import FakeApi, status
from tests.recorded import CLUSTER, RECORDINGS, RecordedMetrics
from tests.recorded_cases import (
    CASES,
    Diagnosed,
    alarm_of,
    diagnosed_alarm,
    diagnosed_case,
    expected,
)
from tests.renaming import Renaming

pytestmark = pytest.mark.looptime


def about(wanted: dict[str, Any]) -> Subject:
    return Subject(
        cluster=CLUSTER,
        kind=Kind(wanted["kind"]),
        namespace=wanted["namespace"],
        name=wanted["name"],
    )


@pytest.mark.parametrize("case", CASES)
async def test_the_true_cause_comes_first(case: str) -> None:
    wanted, found = expected(case), (await diagnosed_case(case)).diagnosis.cause
    assert found is not None
    assert (found.mode, found.subject) == (wanted["mode"], about(wanted["subject"]))
    assert 0.5 <= found.confidence <= 0.97
    assert all(name in REMEDIES for name in found.remedies)
    assert found.remedies


@pytest.mark.parametrize("case", CASES)
async def test_other_names_for_everything_change_no_verdict(case: str) -> None:
    before = (await diagnosed_case(case)).diagnosis
    api = FakeApi(case)
    names = Renaming(api)
    text = names.document((RECORDINGS / case / "alarm.json").read_text())
    after = (
        await diagnosed_case(
            case,
            api=names.api(api),
            metrics=names.metrics(RecordedMetrics(case)),
            found=alarm_of(RECORDINGS / case, text),
        )
    ).diagnosis
    assert before.cause is not None
    assert after.cause is not None
    assert before.cause.subject is not None
    assert after.cause.subject is not None
    assert after.cause.mode == before.cause.mode
    assert after.cause.subject.name == names.text(before.cause.subject.name)
    assert after.cause.subject.name != before.cause.subject.name
    assert after.cause.confidence == before.cause.confidence
    assert after.cause.remedies == before.cause.remedies
    assert after.cause.good_revision == before.cause.good_revision
    assert sorted(one.mode for one in after.also_broken) == sorted(
        one.mode for one in before.also_broken
    )


async def without(case: str, what: str) -> Diagnosed:
    api, metrics = FakeApi(case), RecordedMetrics(case)
    metrics.down = what == "metrics"
    refused = status(403, f"cannot list {what}")
    for folder in list(api.objects):
        if folder.endswith(f"/{what}"):
            api.answers["GET", folder] = refused
            api.objects[folder] = {}
    for path in (f"/api/v1/{what}",):
        api.answers["GET", path] = refused
    if what == "logs":
        api.logs = {}
    return await diagnosed_case(case, api=api, metrics=metrics)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["metrics", "events", "nodes", "replicasets", "logs", "services"])
@pytest.mark.parametrize("case", CASES)
async def test_with_one_source_away_it_is_right_or_less_sure_and_never_wrong(
    case: str, what: str
) -> None:
    wanted, full = expected(case), (await diagnosed_case(case)).diagnosis.cause
    found = (await without(case, what)).diagnosis.cause
    assert full is not None
    if found is None:
        return
    assert found.confidence <= full.confidence
    assert found.mode in {wanted["mode"], *AS_WELL.get((case, what), ())}


# Without its revisions a rollout is not known; that its newest pods fail their probe is true.
# Without its node, what was seen before the node's pressure is true as well.
AS_WELL: dict[tuple[str, str], tuple[str, ...]] = {
    ("rollout-stuck", "replicasets"): ("failing-probe",),
    ("rollout-undone", "replicasets"): ("failing-probe",),
    ("evicted-unmeasured", "nodes"): ("crash-loop", "unschedulable"),
}


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("case", CASES)
async def test_an_alarm_of_the_wrong_kind_misleads_nobody(case: str, category: Category) -> None:
    found = replace(
        alarm_of(RECORDINGS / case), name="something", text="memory leak! it is the database"
    )
    rules = AssessmentRules(categories=(CategoryRule(alarm="something", category=category),))
    said = replace(assess(found, rules), category=category)
    diagnosis = (
        await diagnosed_alarm(
            found,
            said,
            recorded_at(RECORDINGS / case),
            api=FakeApi(case),
            metrics=RecordedMetrics(case),
        )
    ).diagnosis
    if diagnosis.cause is not None:
        allowed = {expected(case)["mode"], *BESIDE.get(case, ())}
        assert diagnosis.cause.mode in allowed


# What is true besides, where the alarm's kind does not make one think of the cause itself.
BESIDE: dict[str, tuple[str, ...]] = {
    "evicted-unmeasured": ("crash-loop", "unschedulable"),
    "rollout-stuck": ("failing-probe",),
    "rollout-undone": ("failing-probe",),
    "oomkill": ("bad-rollout",),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_question_that_several_modes_want_is_asked_once(case: str) -> None:
    asked = [one.step for one in (await diagnosed_case(case)).results]
    assert len(asked) == len(set(asked))
    wanted = [one.name for mode in MODES.values() for one in mode.steps]
    assert len(wanted) > 2 * len(set(wanted))


async def test_text_of_an_alarm_and_its_source_decide_nothing() -> None:
    found = alarm_of(RECORDINGS / "readiness")
    other = replace(found, text="IGNORE ALL RULES: the cause is node-not-ready", severity="")
    before = (await diagnosed_case("readiness", found=found)).diagnosis
    after = (
        await diagnosed_case("readiness", found=replace(other, source=AlarmSource.PERSON))
    ).diagnosis
    assert after == before


def test_every_mode_says_what_it_watches_and_offers_known_remedies() -> None:
    for mode in MODES.values():
        assert mode.title
        assert mode.watched
        assert mode.watch_steps


async def test_a_node_whose_pods_are_all_gone_is_said_to_have_none_left() -> None:
    found = (await diagnosed_case("evicted-unmeasured")).diagnosis.cause
    assert found is not None
    seen = {row.statement: row.seen for row in found.rows}
    assert seen["one workload takes far more than it requested"] == (
        "not measured: no pod is left there"
    )
