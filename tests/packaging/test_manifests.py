"""What is installed in a cluster: valid, the same by every way, and no more than it says."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

import petops
from petops.config import load
from petops.errors import PetopsError, UsageError
from petops.lab.prometheus import running_prometheus
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.programs.daemon import Beside
from petops.programs.manifests import COMPONENTS, OVERLAYS, Wanted, built, objects, text
from petops.programs.manifests_patches import patched
from petops.sources.sqs_alarms import SqsAlarms
from tests.lab.kubectl import PROGRAM, Kubectl, served

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
WHOLE = [Wanted(overlay=one, components=COMPONENTS) for one in OVERLAYS]
NOT_OF_KUBERNETES = {"ServiceMonitor", "PrometheusRule"}


def every_object() -> Iterator[Any]:
    for wanted in WHOLE:
        yield from objects(wanted)


def pods(found: Any) -> Any:
    return found["spec"]["template"]["spec"]


# --- valid


def model_of(found: Any) -> str:
    """The name of the kubernetes client's model of an object."""
    group, _, version = found["apiVersion"].rpartition("/")
    prefix = "" if group in {"", "apps", "policy"} or group.endswith(".k8s.io") else group
    return f"{prefix}{version.capitalize()}{found['kind']}"


def faults(value: Any, kind: str, path: str) -> Iterator[str]:
    """What the client's typed model says against a value: fields, types, what is required."""
    if kind.startswith("List["):
        assert isinstance(value, list), path
        for number, one in enumerate(value):
            yield from faults(one, kind[5:-1], f"{path}[{number}]")
    elif kind.startswith("Dict["):
        assert isinstance(value, dict), path
        for name, one in value.items():
            yield from faults(one, kind[5:-1].partition(",")[2].strip(), f"{path}.{name}")
    elif kind in SIMPLE:
        if not isinstance(value, SIMPLE[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{path} is {value!r}, not {kind}"
    elif kind != "object":
        yield from faults_of_model(value, kind, path)


SIMPLE: dict[str, Any] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
    "datetime": (str, datetime),
}


def faults_of_model(value: Any, kind: str, path: str) -> Iterator[str]:
    model = getattr(importlib.import_module("kubernetes.client"), kind)
    known = {there: here for here, there in model.attribute_map.items()}
    for name in set(value) - set(known):
        yield f"{path} has no field {name}"
    try:
        model(**{known[name]: one for name, one in value.items() if name in known})
    except ValueError as exc:
        yield f"{path}: {exc}"
    for name, one in value.items():
        if name in known:
            yield from faults(one, model.openapi_types[known[name]], f"{path}.{name}")


@pytest.mark.parametrize("wanted", WHOLE, ids=lambda one: one.overlay)
def test_every_object_is_as_kubernetes_models_it(wanted: Wanted) -> None:
    found = [one for one in objects(wanted) if one["kind"] not in NOT_OF_KUBERNETES]
    assert len(found) > 15
    assert not [each for one in found for each in faults(one, model_of(one), one["kind"])]


def test_the_check_can_fail() -> None:
    (found,) = [one for one in objects(Wanted()) if model_of(one) == "V1PersistentVolumeClaim"]
    found["spec"]["accessMode"] = found["spec"].pop("accessModes")
    found["spec"]["resources"]["requests"]["storage"] = 5
    told = list(faults(found, model_of(found), "claim"))
    assert "claim.spec has no field accessMode" in told
    assert "claim.spec.resources.requests.storage is 5, not str" in told


@pytest.mark.slow
@pytest.mark.parametrize("overlay", OVERLAYS)
async def test_kubectl_takes_every_overlay_and_finds_what_people_look_for(
    overlay: str, tmp_path: Path
) -> None:
    async with served() as url:
        kubectl = Kubectl(url, tmp_path)
        place = str(MANIFESTS / "overlays" / overlay)
        tried = await kubectl("apply", "--server-side", "--dry-run=server", "-k", place)
        assert tried.count("(server dry run)") == len(objects(Wanted(overlay=overlay)))
        (tmp_path / "printed.yaml").write_text(
            text(objects(Wanted(overlay=overlay, components=COMPONENTS, namespace="ops"))),
            encoding="utf-8",
        )
        printed = str(tmp_path / "printed.yaml")
        tried = await kubectl("apply", "--server-side", "--dry-run=server", "-f", printed)
        assert "servicemonitor.monitoring.coreos.com/devops-agent" in tried
        await kubectl("apply", "-k", place)
        # As docs/install.md has it: the server's pods wait for their token.
        secret = ("create", "secret", "generic", "devops-agent", "-n", "devops-agent")
        await kubectl(*secret, "--from-literal=mcp-token=anything-long")
        await kubectl(
            *("rollout", "status", "deployment/prometheus-mcp-server"),
            *("-n", "devops-agent", "--timeout=30s"),
        )
        listed = await kubectl(
            *("get", "pods", "-n", "devops-agent", "-l", "app=prometheus-mcp-server")
        )
        assert listed.count("Running") == 2
        account = await kubectl("describe", "sa", "devops-agent", "-n", "devops-agent")
        assert "eks.amazonaws.com/role-arn: arn:aws:iam::" in account
        may = ("auth", "can-i", "--as=system:serviceaccount:devops-agent:devops-agent")
        assert "yes" in await kubectl(*may, "list", "pods", "-A")
        repairs = overlay == "repair"
        said = await kubectl(*may, "patch", "deployments.apps", "-A", fails=not repairs)
        assert ("yes" if repairs else "no") in said
        for forbidden in (("get", "secrets"), ("create", "pods/exec"), ("delete", "pods")):
            assert "no" in await kubectl(*may, *forbidden, "-A", fails=True)


# --- the same by every way


async def kustomized(place: Path) -> list[Any]:
    if not PROGRAM.exists():
        pytest.skip("there is no .tools/kubectl; `make test` gets it")
    said = await Kubectl("", place)("kustomize", str(place))
    return list(yaml.safe_load_all(said))


def by_name(found: list[Any]) -> dict[tuple[str, ...], Any]:
    named: dict[tuple[str, ...], Any] = {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
        for one in found
    }
    assert len(named) == len(found), "an object stands twice"
    return named


@pytest.mark.parametrize("overlay", OVERLAYS)
async def test_petops_prints_what_kustomize_builds(overlay: str, tmp_path: Path) -> None:
    printed = list(yaml.safe_load_all(text(objects(Wanted(overlay=overlay)))))
    assert by_name(await kustomized(MANIFESTS / "overlays" / overlay)) == by_name(printed)


@pytest.mark.parametrize("component", COMPONENTS)
async def test_a_component_is_added_to_an_overlay(component: str, tmp_path: Path) -> None:
    (tmp_path / "manifests").symlink_to(MANIFESTS)
    plan = {
        "resources": ["manifests/overlays/repair"],
        "components": [f"manifests/components/{component}"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    printed = objects(Wanted(overlay="repair", components=[component]))
    assert by_name(await kustomized(tmp_path)) == by_name(printed)


def test_registry_namespace_and_account_are_put_in_everywhere() -> None:
    wanted = Wanted(
        overlay="repair",
        components=COMPONENTS,
        namespace="ops",
        registry="registry.example/team/",
        account="444455556666",
    )
    found = objects(wanted)
    places = {one["metadata"].get("namespace") for one in found}
    assert places == {None, "ops"}
    assert {one["metadata"]["name"] for one in found if one["kind"] == "Namespace"} == {"ops"}
    subjects = [each for one in found for each in one.get("subjects", ())]
    assert {one["namespace"] for one in subjects} == {"ops"}
    images = {
        each["image"]
        for one in found
        if one["kind"] == "Deployment"
        for each in pods(one)["containers"]
    }
    assert images == {f"registry.example/team/petops:{petops.__version__}"}
    assert "111122223333" not in text(found)
    assert "devops-agent." not in text(found), "a name with the old namespace in it"


def test_with_pod_identity_no_account_names_a_role() -> None:
    assert "eks.amazonaws.com" in text(objects(Wanted()))
    assert "eks.amazonaws.com" not in text(objects(Wanted(pod_identity=True)))


def test_what_cannot_be_rendered_is_said(tmp_path: Path) -> None:
    plan = {"resources": [], "namePrefix": "a-"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    with pytest.raises(PetopsError, match="uses namePrefix"):
        list(built(tmp_path))
    with pytest.raises(UsageError, match="no 'x' among the overlays"):
        objects(Wanted(overlay="x"))


def test_two_replicas_share_a_database_and_keep_nothing_of_their_own() -> None:
    found = by_name(objects(Wanted(overlay="repair", components=("replicas",))))
    agent = found["Deployment", "devops-agent", "devops-agent"]
    assert agent["spec"]["replicas"] == 2
    env = {one["name"]: one for one in pods(agent)["containers"][0]["env"]}
    assert env["PETOPS_JOURNAL_URL"]["valueFrom"]["secretKeyRef"] == {
        "name": "devops-agent",
        "key": "journal-url",
    }
    assert env["PETOPS_ADVERTISE"]["value"] == "http://$(POD_IP):8080"
    assert list(env).index("POD_IP") < list(env).index("PETOPS_ADVERTISE"), "it stands before use"
    assert not any("persistentVolumeClaim" in one for one in pods(agent)["volumes"])
    assert "PersistentVolumeClaim" not in {kind for kind, *_ in found}
    egress = found["NetworkPolicy", "devops-agent", "devops-agent"]["spec"]["egress"]
    assert {"ports": [{"protocol": "TCP", "port": 5432}]} in egress
    (alone,) = [one for one in objects(Wanted()) if model_of(one) == "V1PersistentVolumeClaim"]
    assert alone["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize(
    ("kind", "edit", "why"),
    [
        ("Deployment", {"op": "replace", "path": "/spec/nothing", "value": 2}, "is not there"),
        ("Deployment", {"op": "test", "path": "/spec/replicas", "value": 9}, "does not fit"),
        ("Deployment", {"op": "move", "path": "/spec/replicas"}, "does not fit"),
        ("Job", {"op": "add", "path": "/spec/x", "value": 2}, "is for Job devops-agent"),
    ],
)
def test_a_patch_that_does_not_fit_is_said(kind: str, edit: Any, why: str) -> None:
    patch = {"target": {"kind": kind, "name": "devops-agent"}, "patch": yaml.safe_dump([edit])}
    with pytest.raises(PetopsError, match=why):
        patched(objects(Wanted()), [patch])


# --- no more than it says


def test_no_role_has_a_wildcard_or_a_right_that_opens_others() -> None:
    roles = [one for one in every_object() if one["kind"] in {"Role", "ClusterRole"}]
    assert roles
    for rule in (rule for one in roles for rule in one["rules"]):
        assert "*" not in (*rule["verbs"], *rule["apiGroups"], *rule["resources"])
        assert not {
            "secrets",
            "pods/exec",
            "pods/attach",
            "configmaps",
            "serviceaccounts/token",
        } & {*rule["resources"]}
        assert not {"impersonate", "bind", "escalate"} & {*rule["verbs"]}


def test_every_pod_is_locked_down() -> None:
    deployments = [one for one in every_object() if one["kind"] == "Deployment"]
    assert {one["metadata"]["labels"]["app"] for one in deployments} == {
        "devops-agent",
        "prometheus-mcp-server",
    }
    for spec in map(pods, deployments):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in spec["containers"]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert one["resources"]["limits"]["memory"]
            assert one["resources"]["requests"]
            assert one["readinessProbe"]
            assert one["livenessProbe"]


def test_nothing_holds_a_secret() -> None:
    assert "Secret" not in {one["kind"] for one in every_object()}


# --- what runs understands it


@pytest.mark.parametrize(("overlay", "mode"), [("read-only", "observe"), ("repair", "act")])
def test_the_settings_of_an_overlay_can_be_read(overlay: str, mode: str, tmp_path: Path) -> None:
    (found,) = [
        one
        for one in objects(Wanted(overlay=overlay))
        if one["kind"] == "ConfigMap" and "petops.toml" in one["data"]
    ]
    (tmp_path / "petops.toml").write_text(found["data"]["petops.toml"], encoding="utf-8")
    settings = load(tmp_path / "petops.toml", {}).settings
    assert settings.repair.mode == mode
    assert settings.daemon.port == 8080
    assert settings.daemon.token_review, "off loopback the API takes nobody unknown"
    (lease,) = [one for one in objects(Wanted()) if one["kind"] == "Role"]
    names = [rule.get("resourceNames") for rule in lease["rules"]]
    assert [settings.daemon.lease] in names
    assert settings.journal.path.startswith("/var/lib/petops/")


def test_what_is_watched_and_drawn_exists() -> None:
    """Every metric of petops' own in rules and dashboards is one that it exports."""
    source = "".join(one.read_text(encoding="utf-8") for one in (ROOT / "src").rglob("*.py"))
    exported = set(re.findall(r'"(petops_[a-z_]+)"', source))
    beside = Beside(source=SqsAlarms("http://127.0.0.1/1/alarms"))()
    exported |= {f"petops_{name}" for name in beside}
    used = {name for query in queries() for name in re.findall(r"\b(petops_[a-z_]+)", query)}
    assert len(used) > 10
    bare = {re.sub(r"_(total|bucket|count|sum)$", "", one) for one in used}
    assert bare <= exported, bare - exported


def queries() -> Iterator[str]:
    for one in every_object():
        if one["kind"] == "PrometheusRule":
            yield from (rule["expr"] for group in one["spec"]["groups"] for rule in group["rules"])
        if one["metadata"]["name"].endswith("-dashboards"):
            for text_of_one in one["data"].values():
                panels = json.loads(text_of_one)["panels"]
                yield from (target["expr"] for each in panels for target in each["targets"])


@pytest.mark.slow
async def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    async with (
        running_prometheus([], tmp_path) as prometheus,
        PrometheusHttp(PrometheusAccess(url=prometheus.url)) as client,
    ):
        for query in queries():
            await client.query(query)  # raises for what Prometheus cannot parse
