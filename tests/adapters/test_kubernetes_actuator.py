"""Changes are made once, to what was looked at, and what cannot be told is said."""

import copy
from typing import Any

import pytest

from petops.actuators.kubernetes import KubernetesActuator
from petops.domain.change import (
    Act,
    RestartWorkload,
    SetMemoryLimit,
    UndoRollout,
    canonical,
    inverse,
)
from petops.domain.subject import Kind, Subject
from petops.errors import (
    ForbiddenError,
    NotThereError,
    OutcomeUnknownError,
    PetopsError,
    SourceError,
    StaleError,
)
from petops.ports import ApiAnswer, object_path
from petops.sources.kubernetes import KubernetesCluster
from tests.adapters.fake_kubernetes_api import (
    CLUSTER,
    FakeApi,
    recorded_answer,
    status,
)

WEB = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="rollout", name="web")
UID = "6e413a89-50cb-4b16-9ac3-265a07adcace"
PATH = object_path(WEB)
PATCH = ("PATCH", PATH)
RAISE = SetMemoryLimit(subject=WEB, uid=UID, container="app", was="128Mi", to="192Mi")
RESTART = RestartWorkload(subject=WEB, uid=UID, was=None, to="2026-11-23T06:00:00Z")


@pytest.fixture
def api() -> FakeApi:
    return FakeApi("rollout-undone")


@pytest.fixture
def actuator(api: FakeApi) -> KubernetesActuator:
    return KubernetesActuator(api)


def limit(api: FakeApi) -> str:
    (container,) = api.one(PATH)["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])


def annotations(api: FakeApi) -> Any:
    return api.one(PATH)["metadata"]["annotations"]


def patches(api: FakeApi) -> list[tuple[Any, Any, Any]]:
    return [(one[2], one[3], one[4]) for one in api.asked if one[0] == "PATCH"]


async def test_a_change_is_one_patch_of_the_object_that_was_read(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    before = copy.deepcopy(api.one(PATH))
    await actuator.apply(RAISE, "act-1")
    ((query, patch, content_type),) = patches(api)
    assert query == {"fieldManager": "petops"}
    assert content_type == "application/merge-patch+json"
    assert patch["metadata"] == {
        "uid": UID,
        "resourceVersion": before["metadata"]["resourceVersion"],
        "annotations": {"petops.dev/act": "act-1"},
    }
    assert set(patch) == {"metadata", "spec"}
    assert limit(api) == "192Mi"
    before["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "192Mi"
    assert api.one(PATH)["spec"] == before["spec"], "nothing else was changed"


async def test_the_same_act_twice_is_made_once(api: FakeApi, actuator: KubernetesActuator) -> None:
    await actuator.apply(RAISE, "act-1")
    await actuator.apply(RAISE, "act-1")
    assert len(patches(api)) == 1
    assert await actuator.was_applied(RAISE, "act-1")
    assert not await actuator.was_applied(RAISE, "act-2")


async def test_a_restart_adds_its_annotation(api: FakeApi, actuator: KubernetesActuator) -> None:
    await actuator.apply(RESTART, "act-1")
    template = api.one(PATH)["spec"]["template"]
    assert template["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/restartedAt": "2026-11-23T06:00:00Z"
    }


async def test_an_undo_goes_back_and_forth_again(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    cluster = KubernetesCluster(api, CLUSTER)
    now = (await cluster.workload(WEB)).value.template
    revisions = {one.number: one for one in (await cluster.rollouts(WEB)).value.revisions}
    undo = UndoRollout(
        subject=WEB, uid=UID, from_revision=4, to_revision=1, was=now, to=revisions[1].template
    )
    await actuator.apply(undo, "act-1")
    assert canonical(api.one(PATH)["spec"]["template"]) == revisions[1].template
    back = inverse(undo)
    assert isinstance(back, UndoRollout)
    await actuator.apply(back, "act-2")
    assert canonical(api.one(PATH)["spec"]["template"]) == now
    assert annotations(api)["petops.dev/act"] == "act-2"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (SetMemoryLimit(subject=WEB, uid=UID, container="app", was="64Mi", to="1Gi"), "memory"),
        (SetMemoryLimit(subject=WEB, uid=UID, container="x", was="64Mi", to="1Gi"), "memory"),
        (SetMemoryLimit(subject=WEB, uid="u", container="app", was="128Mi", to="1Gi"), "anew"),
    ],
)
async def test_what_is_not_as_it_was_is_not_touched(
    api: FakeApi, actuator: KubernetesActuator, change: Act, why: str
) -> None:
    with pytest.raises(StaleError, match=why):
        await actuator.apply(change, "act-1")
    assert why in (await actuator.changed_since(change) or "")
    assert why in (await actuator.dry_run(change)).refused
    assert not patches(api)


async def test_a_status_that_moves_meanwhile_is_read_again(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    moves = [1, 2, 3]

    def move(found: Any) -> None:
        if moves:
            found["metadata"]["resourceVersion"] = f"moved-{moves.pop()}"

    api.before_patch = move
    await actuator.apply(RAISE, "act-1")
    assert len(patches(api)) == 4
    assert limit(api) == "192Mi"


async def test_an_object_that_never_rests_is_left_alone(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    api.answers[PATCH] = recorded_answer("patch-stale-resourceversion")
    with pytest.raises(StaleError, match="too often"):
        await actuator.apply(RAISE, "act-1")
    assert len(patches(api)) == 4


async def test_a_specification_that_moves_meanwhile_is_stale(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    def scale(found: Any) -> None:
        found["spec"]["replicas"] += 1
        found["metadata"]["generation"] += 1
        found["metadata"]["resourceVersion"] = "moved"

    api.before_patch = scale
    with pytest.raises(StaleError, match="while the change was being made"):
        await actuator.apply(RAISE, "act-1")
    assert limit(api) == "128Mi"


async def test_a_change_that_happened_although_its_answer_was_lost_is_found(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    class Lossy(FakeApi):
        async def request(self, method: str, path: str, **more: Any) -> ApiAnswer:
            answer = await super().request(method, path, **more)
            if method == "PATCH":
                raise OutcomeUnknownError("the connection broke")
            return answer

    lossy = Lossy("rollout-undone")
    actuator = KubernetesActuator(lossy)
    with pytest.raises(OutcomeUnknownError):
        await actuator.apply(RAISE, "act-1")
    assert await actuator.was_applied(RAISE, "act-1")


DENIED = 'deployments.apps "web" is forbidden: User "petops" cannot patch resource "deployments"'


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (recorded_answer("patch-invalid"), SourceError, "must be greater than"),
        (status(400, 'admission webhook "x" denied the request: no'), SourceError, "denied"),
        (status(403, 'admission webhook "x" denied the request: no'), SourceError, "denied"),
        (status(403, DENIED), ForbiddenError, "cannot patch"),
        (status(401, "Unauthorized"), ForbiddenError, "401"),
        (status(404, "gone"), NotThereError, "gone"),
        (status(429, "slow down"), SourceError, "429"),
        (status(500, 'failed calling webhook "x": refused'), SourceError, "webhook"),
        (status(500, "etcdserver: request timed out"), OutcomeUnknownError, "timed out"),
        (status(504, "Timeout"), OutcomeUnknownError, "504"),
        (SourceError("connection refused"), SourceError, "refused"),
        (OutcomeUnknownError("no answer"), OutcomeUnknownError, "no answer"),
    ],
)
async def test_what_an_answer_to_a_change_means(
    api: FakeApi,
    actuator: KubernetesActuator,
    answer: ApiAnswer | Exception,
    error: type[PetopsError],
    says: str,
) -> None:
    api.answers[PATCH] = answer
    with pytest.raises(error, match=says) as caught:
        await actuator.apply(RAISE, "act-1")
    assert isinstance(caught.value, OutcomeUnknownError) == (error is OutcomeUnknownError)
    assert len(patches(api)) == 1, "a change is never sent twice"


async def test_a_deleted_object(api: FakeApi, actuator: KubernetesActuator) -> None:
    api.answers["GET", PATH] = status(404, "not found")
    assert await actuator.changed_since(RAISE) == "Deployment rollout/web was deleted"
    assert not await actuator.was_applied(RAISE, "act-1")
    with pytest.raises(NotThereError):
        await actuator.apply(RAISE, "act-1")


async def test_an_object_that_cannot_be_read_tells_nothing(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    api.answers["GET", PATH] = status(503, "away")
    with pytest.raises(SourceError):
        await actuator.was_applied(RAISE, "act-1")


async def test_a_dry_run_is_the_servers_word_and_changes_nothing(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    before = copy.deepcopy(api.one(PATH))
    tried = await actuator.dry_run(RAISE)
    ((query, _, _),) = patches(api)
    assert query["dryRun"] == "All"
    assert tried.by_server
    assert not tried.refused
    changed = [line.strip() for line in tried.diff if line[:1] in "+-"]
    assert [line.replace(" ", "") for line in changed] == ['-memory:"128Mi"', '+memory:"192Mi"']
    assert api.one(PATH) == before


async def test_a_dry_run_that_is_not_allowed_is_computed_here(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    by_server = await actuator.dry_run(RAISE)
    api.answers[PATCH] = status(403, DENIED)
    here = await actuator.dry_run(RAISE)
    assert here.diff == by_server.diff
    assert not here.by_server
    assert here.note
    api.answers[PATCH] = status(400, 'admission webhook "x" does not support dry run')
    assert not (await actuator.dry_run(RAISE)).by_server


@pytest.mark.parametrize(
    "answer",
    [
        recorded_answer("patch-invalid"),
        status(400, 'admission webhook "x" denied the request: no'),
        status(403, 'admission webhook "x" denied the request: no'),
        status(500, 'failed calling webhook "x": refused'),
    ],
)
async def test_a_refused_dry_run_says_why(
    api: FakeApi, actuator: KubernetesActuator, answer: ApiAnswer
) -> None:
    api.answers[PATCH] = answer
    tried = await actuator.dry_run(RAISE)
    assert tried.refused == answer.body["message"]
    assert not tried.diff


@pytest.mark.parametrize(
    "answer", [status(503, "away"), OutcomeUnknownError("no answer"), SourceError("refused")]
)
async def test_a_dry_run_without_an_answer_is_a_source_that_is_away(
    api: FakeApi, actuator: KubernetesActuator, answer: ApiAnswer | Exception
) -> None:
    api.answers[PATCH] = answer
    with pytest.raises(SourceError):
        await actuator.dry_run(RAISE)


async def test_a_dry_run_of_an_object_that_never_rests(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    api.answers[PATCH] = recorded_answer("patch-stale-resourceversion")
    with pytest.raises(SourceError, match="too often"):
        await actuator.dry_run(RAISE)


async def test_a_dry_run_that_differs_from_the_plan_is_refused(
    api: FakeApi, actuator: KubernetesActuator
) -> None:
    found = copy.deepcopy(api.one(PATH))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["resources"]["limits"]["memory"] = "160Mi"  # by a webhook that changes what it gets
    api.answers[PATCH] = ApiAnswer(status=200, body=found)
    tried = await actuator.dry_run(RAISE)
    assert "something else of it" in tried.refused
    assert "memory" in tried.refused
    container["resources"]["limits"]["memory"] = "192Mi"
    found["spec"]["template"]["spec"]["added"] = "by the server"
    assert not (await actuator.dry_run(RAISE)).refused
