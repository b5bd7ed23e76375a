"""The doctor on a running lab, with each integration broken in turn: it names that one, and why."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from petops.config import Settings, load
from petops.lab.prometheus import running_prometheus
from petops.programs import doctor_clock, doctor_cluster, doctor_metrics, doctor_test_alarm
from petops.programs.daemon import serving
from petops.programs.doctor import as_document, examine
from petops.programs.doctor_check import Check, Verdict

pytestmark = pytest.mark.slow

QUEUE = "devops-agent-alarms"
NAMES = [
    *("engine", "cluster", "rbac read", "rbac repair", "mcp server", "prometheus"),
    *("kube-state-metrics", "cadvisor", "node exporter", "application metrics"),
    *("aws identity", "cloudwatch alarms", "container insights", "x-ray"),
    *("alarm queue", "queue policy", "alarm rule", "dead letters"),
    *("slack token", "slack scopes", "slack channels", "slack socket", "secrets"),
    *("own knowledge", "clock"),
]


def petops(home: Path, *words: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
    }
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "petops", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment of a lab that runs, without an engine."""
    home = tmp_path_factory.mktemp("home")
    petops(home, "lab", "up", "--detach", "--no-engine")
    status = json.loads(petops(home, "lab", "status", "--json"))
    try:
        yield status["environment"]
    finally:
        petops(home, "lab", "down")


@dataclass
class Patient:
    """The lab as one test sees it; what it breaks is undone after it."""

    environment: dict[str, str]
    folder: Path
    undo: list[Callable[[], object]]

    @property
    def settings(self) -> Settings:
        return load(None, self.environment).settings

    def client(self, service: str) -> Any:
        name = service.upper().replace("-", "_")
        url = self.environment.get(f"AWS_ENDPOINT_URL_{name}", self.environment["AWS_ENDPOINT_URL"])
        return boto3.client(service, endpoint_url=url)

    def set(self, **variables: str) -> None:
        self.environment.update(variables)
        os.environ.update(variables)

    def as_user(self, token: str) -> None:
        """Be another user of the cluster."""
        document = yaml.safe_load(Path(self.environment["KUBECONFIG"]).read_text(encoding="utf-8"))
        document["users"][0]["user"] = {"token": token}
        self.kubeconfig(document)

    def at_server(self, url: str) -> None:
        document = yaml.safe_load(Path(self.environment["KUBECONFIG"]).read_text(encoding="utf-8"))
        document["clusters"][0]["cluster"]["server"] = url
        self.kubeconfig(document)

    def kubeconfig(self, document: Any) -> None:
        path = self.folder / "kubeconfig"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.set(KUBECONFIG=str(path))

    def queue_attributes(self, **given: str) -> None:
        sqs, url = self.client("sqs"), self.environment["PETOPS_SQS_QUEUE_URL"]
        names = list(given)
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes=given)
        self.undo.append(lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=before))

    def pattern(self, **given: list[str]) -> None:
        events = self.client("events")
        before = events.describe_rule(Name=QUEUE)["EventPattern"]
        pattern = json.loads(before) | {key.replace("_", "-"): one for key, one in given.items()}
        events.put_rule(Name=QUEUE, EventPattern=json.dumps(pattern))
        self.undo.append(lambda: events.put_rule(Name=QUEUE, EventPattern=before))


@pytest.fixture
def patient(
    lab: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Patient]:
    for name in [one for one in os.environ if one.startswith(("AWS_", "PETOPS_"))]:
        monkeypatch.delenv(name)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**lab, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    found = Patient(dict(lab), tmp_path, [])
    found.set(PETOPS_JOURNAL=str(tmp_path / "journal.db"))
    with monkeypatch.context():
        before = dict(os.environ)
        try:
            yield found
        finally:
            for one in reversed(found.undo):
                one()
            os.environ.clear()
            os.environ.update(before)


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def nowhere() -> str:
    return f"http://127.0.0.1:{a_free_port()}"


# --- each broken in turn


def no_kubeconfig(patient: Patient) -> None:
    patient.set(KUBECONFIG=str(patient.folder / "none"))


def no_api_server(patient: Patient) -> None:
    patient.at_server(nowhere())


def no_permission(patient: Patient) -> None:
    patient.as_user("lab-nobody")


def no_right_to_repair(patient: Patient) -> None:
    patient.as_user("lab-read-only")


def nobodys_token(patient: Patient) -> None:
    patient.as_user("expired")


def no_mcp_server(patient: Patient) -> None:
    patient.set(PETOPS_MCP_URL=f"{nowhere()}/mcp")


def something_else_for_mcp(patient: Patient) -> None:
    patient.set(PETOPS_MCP_URL=f"{patient.environment['PROMETHEUS_URL']}/mcp")


def no_prometheus(patient: Patient) -> None:
    patient.set(PROMETHEUS_URL=nowhere())


def no_queue(patient: Patient) -> None:
    patient.set(PETOPS_SQS_QUEUE_URL=patient.environment["PETOPS_SQS_QUEUE_URL"] + "-2")


def policy_gone(patient: Patient) -> None:
    patient.queue_attributes(Policy="")


def policy_for_another_rule(patient: Patient) -> None:
    url = patient.environment["PETOPS_SQS_QUEUE_URL"]
    sqs = patient.client("sqs")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    patient.queue_attributes(Policy=found["Policy"].replace(f"rule/{QUEUE}", "rule/another"))


def rule_disabled(patient: Patient) -> None:
    events = patient.client("events")
    events.disable_rule(Name=QUEUE)
    patient.undo.append(lambda: events.enable_rule(Name=QUEUE))


def rule_without_target(patient: Patient) -> None:
    events = patient.client("events")
    targets = events.list_targets_by_rule(Rule=QUEUE)["Targets"]
    events.remove_targets(Rule=QUEUE, Ids=[one["Id"] for one in targets])
    patient.undo.append(lambda: events.put_targets(Rule=QUEUE, Targets=targets))


def rule_without_contributors(patient: Patient) -> None:
    patient.pattern(detail_type=["CloudWatch Alarm State Change"])


def no_aws(patient: Patient) -> None:
    patient.set(AWS_ENDPOINT_URL_STS=nowhere())


def no_credentials(patient: Patient) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        del os.environ[name]


def web_identity_token_missing(patient: Patient) -> None:
    no_credentials(patient)
    patient.set(
        AWS_ROLE_ARN="arn:aws:iam::111122223333:role/devops-agent",
        AWS_WEB_IDENTITY_TOKEN_FILE=str(patient.folder / "no-token"),
    )


def another_account(patient: Patient) -> None:
    patient.set(PETOPS_CLUSTER_ACCOUNT="444455556666")


def secret_missing(patient: Patient) -> None:
    patient.set(PETOPS_TOKEN="secretsmanager:devops-agent/none")  # noqa: S106


def journal_nowhere(patient: Patient) -> None:
    (patient.folder / "file").write_text("", encoding="utf-8")
    patient.set(PETOPS_JOURNAL=str(patient.folder / "file" / "journal.db"))


def wrong_slack_token(patient: Patient) -> None:
    patient.set(SLACK_BOT_TOKEN="xoxb-another")  # noqa: S106


def wrong_app_token(patient: Patient) -> None:
    patient.set(SLACK_APP_TOKEN="xapp-another")  # noqa: S106


def no_slack(patient: Patient) -> None:
    patient.set(PETOPS_SLACK_API_URL=f"{nowhere()}/api/")


def no_such_channel(patient: Patient) -> None:
    patient.set(PETOPS_SLACK_CHANNEL="C0NOTTHERE")


def no_channel(patient: Patient) -> None:
    del patient.environment["PETOPS_SLACK_CHANNEL"]


def slack_secret_missing(patient: Patient) -> None:
    patient.set(SLACK_BOT_TOKEN="secretsmanager:devops-agent/slack-token#bot_token")  # noqa: S106


@pytest.mark.parametrize(
    ("how", "name", "told", "fix"),
    [
        (no_kubeconfig, "cluster", "there is no kubeconfig at", "aws eks update-kubeconfig"),
        (no_api_server, "cluster", "cannot be reached", "kubeconfig"),
        (nobodys_token, "cluster", "does not know who petops is", "kubectl auth whoami"),
        (no_permission, "rbac read", "may not get nodes; list nodes", "overlays/read-only"),
        (no_right_to_repair, "rbac repair", "may not patch daemonsets", "overlays/repair"),
        (no_mcp_server, "mcp server", "is not there", "app=prometheus-mcp-server"),
        (something_else_for_mcp, "mcp server", "is not there", "app=prometheus-mcp-server"),
        (no_prometheus, "prometheus", "refused the connection", "curl http://127.0.0.1"),
        (no_queue, "alarm queue", "there is no queue", "petops setup aws"),
        (policy_gone, "queue policy", "it has no policy", "petops setup aws"),
        (policy_for_another_rule, "queue policy", f"let the rule {QUEUE}", "petops setup aws"),
        (rule_disabled, "alarm rule", "is disabled", f"enable-rule --name {QUEUE}"),
        (rule_without_target, "alarm rule", "no EventBridge rule sends", "petops setup aws"),
        (rule_without_contributors, "alarm rule", "Contributor State Change", "petops setup aws"),
        (no_aws, "aws identity", "Could not connect", "aws sts get-caller-identity"),
        (no_credentials, "aws identity", "no AWS credentials", "AWS_PROFILE"),
        (web_identity_token_missing, "aws identity", "no-token", "docs/install.md"),
        (another_account, "aws identity", "the cluster is in 444455556666", "cluster.account"),
        (secret_missing, "secrets", "daemon.token (GetSecretValue)", "create-secret"),
        (wrong_slack_token, "slack token", "invalid_auth", ""),
        (wrong_app_token, "slack socket", "invalid_auth", ""),
        (no_slack, "slack token", "", ""),
        (no_such_channel, "slack channels", "C0NOTTHERE: ", ""),
        (no_channel, "slack token", "no channel", "PETOPS_SLACK_CHANNEL"),
        (slack_secret_missing, "slack token", "names a secret", "secrets"),
        (journal_nowhere, "engine", "cannot be written to", "journal.path"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
async def test_what_is_broken_is_named_with_its_fix(
    patient: Patient, how: Callable[[Patient], None], name: str, told: str, fix: str
) -> None:
    how(patient)
    checks = {one.name: one for one in await examine(patient.settings)}
    assert list(checks) == NAMES
    found = checks[name]
    assert found.verdict is Verdict.BROKEN, found
    assert told in found.told
    assert fix in found.fix
    assert found.fix
    others = {one.name for one in checks.values() if one.verdict is Verdict.BROKEN} - {name}
    assert others <= ALSO_BROKEN.get(how, set()), [checks[one] for one in others]


ALSO_BROKEN: dict[Callable[[Patient], None], set[str]] = {
    no_permission: {"rbac repair"},
    no_credentials: {"alarm queue"},
    web_identity_token_missing: {"alarm queue"},
    slack_secret_missing: {"secrets"},
}


# --- what only makes diagnoses poorer, or is on the way


def no_cloudwatch(patient: Patient) -> None:
    patient.set(AWS_ENDPOINT_URL_CLOUDWATCH=nowhere())


def no_x_ray(patient: Patient) -> None:
    patient.set(AWS_ENDPOINT_URL_XRAY=nowhere())


def no_container_insights(patient: Patient) -> None:
    patient.set(PETOPS_CLUSTER_NAME="without-agent")


@pytest.mark.parametrize(
    ("how", "name", "told", "fix"),
    [
        (no_cloudwatch, "cloudwatch alarms", "Could not connect", "petops setup aws"),
        (no_x_ray, "x-ray", "Could not connect", "petops setup aws"),
        (no_container_insights, "container insights", "nothing of without-agent", "create-addon"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
async def test_what_is_poorer_is_a_warning_with_its_fix(
    patient: Patient, how: Callable[[Patient], None], name: str, told: str, fix: str
) -> None:
    how(patient)
    checks = {one.name: one for one in await examine(patient.settings)}
    found = checks[name]
    assert found.verdict is Verdict.WARNING, found
    assert told in found.told
    assert fix in found.fix
    assert not [one for one in checks.values() if one.verdict is Verdict.BROKEN]


async def test_a_queue_without_another_for_what_cannot_be_read(patient: Patient) -> None:
    made = patient.client("sqs").create_queue(QueueName="alone")["QueueUrl"]
    patient.undo.append(lambda: patient.client("sqs").delete_queue(QueueUrl=made))
    del patient.environment["PETOPS_SQS_DEAD_LETTER_URL"]
    patient.set(PETOPS_SQS_QUEUE_URL=made)
    checks = {one.name: one for one in await examine(patient.settings)}
    assert checks["dead letters"].verdict is Verdict.WARNING
    assert "stays in the queue" in checks["dead letters"].told
    assert checks["dead letters"].fix == "petops setup aws"


async def test_a_prometheus_that_scrapes_nothing_is_told_by_each_exporter(
    patient: Patient, tmp_path: Path
) -> None:
    async with running_prometheus([], tmp_path / "prometheus") as prometheus:
        patient.set(PROMETHEUS_URL=prometheus.url)
        checks = {one.name: one for one in await examine(patient.settings)}
    assert checks["prometheus"].verdict is Verdict.OK
    for name in ("kube-state-metrics", "cadvisor", "node exporter", "application metrics"):
        assert checks[name].verdict in {Verdict.BROKEN, Verdict.WARNING}, checks[name]
        assert "Prometheus has no" in checks[name].told
        assert checks[name].fix


async def test_with_nothing_broken_nothing_is(patient: Patient) -> None:
    checks = await examine(patient.settings)
    assert [one.name for one in checks] == NAMES
    assert {one.name: one.told for one in checks if one.verdict is Verdict.BROKEN} == {}
    verdicts = {one.name: one.verdict for one in checks}
    assert verdicts.pop("engine") is Verdict.WARNING, "none runs here"
    assert {verdicts.pop(one) for one in ("secrets", "own knowledge")} == {Verdict.OFF}
    assert verdicts.pop("dead letters") in {Verdict.OK, Verdict.WARNING}
    assert set(verdicts.values()) == {Verdict.OK}, verdicts


async def test_what_lies_aside_is_told(patient: Patient) -> None:
    sqs, url = patient.client("sqs"), patient.environment["PETOPS_SQS_DEAD_LETTER_URL"]
    sqs.send_message(QueueUrl=url, MessageBody="not readable")
    patient.undo.append(lambda: sqs.purge_queue(QueueUrl=url))
    checks = {one.name: one for one in await examine(patient.settings)}
    assert checks["dead letters"].verdict is Verdict.WARNING
    assert "aws sqs receive-message" in checks["dead letters"].fix


async def test_what_is_not_asked_for_is_not_missed(patient: Patient) -> None:
    for name in ("PETOPS_SQS_QUEUE_URL", "PROMETHEUS_URL", "AWS_REGION", "PETOPS_CLUSTER_REGION"):
        del patient.environment[name]
    patient.environment["PETOPS_MODE"] = "observe"
    checks = {one.name: one for one in await examine(patient.settings)}
    assert not [one for one in checks.values() if one.verdict is Verdict.BROKEN]
    assert checks["alarm queue"].verdict is Verdict.OFF
    assert checks["aws identity"].verdict is Verdict.OFF
    assert checks["rbac repair"].verdict is Verdict.OFF
    assert checks["mcp server"].verdict is Verdict.WARNING
    assert checks["mcp server"].fix


async def test_a_secret_is_read_and_never_shown(patient: Patient) -> None:
    client = patient.client("secretsmanager")
    made = client.create_secret(Name="devops-agent/api", SecretString="do-not-tell")
    patient.undo.append(
        lambda: client.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)
    )
    patient.set(PETOPS_TOKEN="secretsmanager:devops-agent/api")  # noqa: S106
    checks = await examine(patient.settings)
    document = as_document(checks)
    assert "do-not-tell" not in json.dumps(document)
    (found,) = [one for one in checks if one.name == "secrets"]
    assert found.verdict is Verdict.OK
    assert found.told == "daemon.token can be read"


async def test_the_three_troubles_are_explained(patient: Patient) -> None:
    rule_disabled(patient)
    no_prometheus(patient)
    document = as_document(await examine(patient.settings))
    assert document["healthy"] is False
    assert document["troubles"]["no events"] == [f"alarm rule: the rule {QUEUE} is disabled"]
    assert document["troubles"]["MCP silent"][0].startswith("prometheus: ")


async def test_what_never_answers_does_not_hold_it_up(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        silent = f"http://127.0.0.1:{listening.getsockname()[1]}"
        patient.at_server(silent)
        patient.set(PROMETHEUS_URL=silent, PETOPS_MCP_URL=f"{silent}/mcp")
        for name in [one for one in patient.environment if one.startswith("AWS_ENDPOINT_URL")]:
            patient.set(**{name: silent})
        began = time.monotonic()
        checks = await examine(patient.settings)
        took = time.monotonic() - began
    assert took < 25
    broken = {one.name for one in checks if one.verdict is Verdict.BROKEN}
    assert {"cluster", "mcp server", "aws identity", "alarm queue"} <= broken


# --- the test alarm


async def test_a_test_alarm_comes_into_the_queue_and_is_removed(patient: Patient) -> None:
    (found,) = await doctor_test_alarm.look(patient.settings)
    assert found.verdict is Verdict.OK
    assert "came into the queue" in found.told
    assert doctors_alarms(patient) == []


async def test_a_test_alarm_reaches_the_engine_that_runs_here(patient: Patient) -> None:
    settings = replace(
        patient.settings, daemon=replace(patient.settings.daemon, port=0, host="127.0.0.1")
    )
    async with serving(settings, lambda _: None) as served:
        (found,) = await doctor_test_alarm.look(settings)
        assert found.verdict is Verdict.OK, found
        assert "is in the journal" in found.told
        assert (await served.running.engine.board()).seq > 0
    assert doctors_alarms(patient) == []


async def test_a_test_alarm_that_does_not_come_is_told_and_removed(patient: Patient) -> None:
    rule_without_target(patient)  # moto delivers for a rule that is disabled
    (found,) = await doctor_test_alarm.look(patient.settings, seconds=2)
    assert found.verdict is Verdict.BROKEN
    assert "was not seen in the queue" in found.told
    assert doctors_alarms(patient) == []


def doctors_alarms(patient: Patient) -> list[str]:
    found = patient.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return [one["AlarmName"] for one in found if "petops-doctor" in one["AlarmName"]]


# --- the clock


@pytest.mark.parametrize(
    ("ahead", "verdict", "told"),
    [
        ({"AWS": 0.4, "Kubernetes": -1.0}, Verdict.OK, "agrees with AWS, Kubernetes"),
        ({"AWS": 12.0, "Kubernetes": None}, Verdict.WARNING, "12 s ahead of AWS"),
        ({"AWS": 0.0, "Prometheus": -400.0}, Verdict.BROKEN, "400 s behind Prometheus"),
        ({"AWS": None}, Verdict.UNKNOWN, "no server told its time"),
    ],
)
def test_the_clock_is_judged_by_the_largest_difference(
    ahead: dict[str, float | None], verdict: Verdict, told: str
) -> None:
    found: Check = doctor_clock.judged(ahead)
    assert found.verdict is verdict
    assert told in found.told


async def test_a_server_whose_clock_is_off_is_noticed(patient: Patient) -> None:
    """By the date that the API server gives to its answers."""
    from tests.adapters.prometheus.stub import http  # noqa: PLC0415

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = {"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}, "status": {}}
        writer.write(http(json.dumps(body), status=201))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        patient.at_server(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        (found,) = await doctor_clock.look(patient.settings)
    assert found.verdict is Verdict.BROKEN
    assert "ahead of Kubernetes" in found.told


async def test_an_api_server_that_stops_in_the_middle_is_one_line(patient: Patient) -> None:
    """It says who we are, and answers no question about rights."""
    from tests.adapters.prometheus.stub import http  # noqa: PLC0415

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"accessreviews" not in head:
            body = {"gitVersion": "v1.32.0", "status": {"userInfo": {"username": "ana"}}}
            writer.write(http(json.dumps(body)))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        patient.at_server(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        found = await doctor_cluster.look(patient.settings)
    assert [one.verdict for one in found] == [Verdict.BROKEN, Verdict.UNKNOWN, Verdict.UNKNOWN]


async def test_the_lab_tells_its_time_by_both_ways(patient: Patient) -> None:
    for told in (
        await doctor_cluster.server_time(patient.settings),
        await doctor_metrics.server_time(patient.settings),
    ):
        assert abs(told.timestamp() - time.time()) < 5
