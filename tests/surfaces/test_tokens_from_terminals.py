"""The loop through a daemon from other terminals, each with a token of its own kind."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import yaml

from tests.surfaces.terminals import Terminal, lab_of_a_user

pytestmark = pytest.mark.slow
NAMESPACE = "default"
FIRST, SECOND = "petsite", "petsearch-java"
DEPLOYMENTS: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
ACCOUNTS: Final = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
STATIC: Final = {"viewer": "t-vic", "responder": "t-rosa", "approver": "t-carol"}
SETTINGS: Final = """
[alarms]
grouping = false  # two incidents, although one workload calls the other

[daemon]
token_review = true

[[access]]
users = ["system:serviceaccount:default:on-call"]
roles = ["approver"]

[[access]]
groups = ["system:serviceaccounts:default"]
roles = ["viewer"]

[[person]]  # carol's token is petops' own: Kubernetes knows her under this name
user = "t-carol-user"
channel = "token"
kubernetes_user = "ana"
"""


class Lab:
    """The lab's Kubernetes API, as its admin."""

    def __init__(self, terminal: Terminal) -> None:
        self.variables = terminal.variables()
        config = yaml.safe_load(Path(self.variables["KUBECONFIG"]).read_text(encoding="utf-8"))
        self.client = httpx2.Client(
            base_url=config["clusters"][0]["cluster"]["server"], trust_env=False
        )

    def post(self, path: str, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def account(self, name: str) -> str:
        """Make a ServiceAccount and a token for it, as `kubectl create token` does."""
        self.post(ACCOUNTS, apiVersion="v1", kind="ServiceAccount", metadata={"name": name})
        made = self.post(
            f"{ACCOUNTS}/{name}/token",
            apiVersion="authentication.k8s.io/v1",
            kind="TokenRequest",
            spec={"expirationSeconds": 600},
        )
        return str(made["status"]["token"])

    def lets_repair(self, name: str) -> None:
        """Let the account make what petops may make: nobody gets more by way of petops."""
        self.post(
            RBAC,
            apiVersion="rbac.authorization.k8s.io/v1",
            kind="ClusterRoleBinding",
            metadata={"name": f"{name}-repairs"},
            roleRef={
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "petops-repair",
            },
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        )

    def image(self, name: str) -> str:
        found = self.client.get(f"{DEPLOYMENTS}/{name}").json()
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def roll_out(self, name: str, image: str) -> None:
        patch = {"spec": {"containers": [{"name": name, "image": image}]}}
        answer = self.client.patch(
            f"{DEPLOYMENTS}/{name}",
            content=json.dumps({"spec": {"template": patch}}),
            headers={"Content-Type": "application/strategic-merge-patch+json"},
        )
        assert answer.is_success, answer.text


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with lab_of_a_user(tmp_path_factory.mktemp("user"), "--no-engine") as user:
        yield user


def settings() -> str:
    tokens = [
        f'[[token]]\nsha256 = "{sha256(token.encode()).hexdigest()}"\n'
        f'user = "{token}-user"\nroles = ["{role}"]\n'
        for role, token in STATIC.items()
    ]
    return "\n".join((SETTINGS, *tokens))


def daemon(terminal: Terminal, lab: Lab) -> tuple[subprocess.Popen[str], str]:
    """Start a daemon on the lab with these settings; return it and its address."""
    file = terminal.home / "daemon.toml"
    file.write_text(settings(), encoding="utf-8")
    beside, terminal.environment = terminal.environment, terminal.environment | lab.variables
    process = terminal.start("--config", str(file), "daemon", "--port", "0")
    terminal.environment = beside
    url = ""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("API"):
            url = line.split()[1]
        if line.startswith("ready"):
            return process, url
    raise AssertionError("the daemon did not start")


def other(terminal: Terminal, url: str, token: str) -> Terminal:
    """A terminal that has an address and a token, and nothing else of this machine."""
    found = Terminal(terminal.home / "elsewhere")
    found.environment |= {"PETOPS_ATTACH": url, "PETOPS_TOKEN": token}
    return found


def alert(name: str) -> dict[str, Any]:
    labels = {"alertname": "KubeDeploymentRolloutStuck", "severity": "critical"}
    labels |= {"namespace": NAMESPACE, "deployment": name}
    at = datetime.now(UTC).isoformat()
    return {"status": "firing", "labels": labels, "startsAt": at, "fingerprint": name}


def broken(lab: Lab, url: str) -> None:
    """Roll out two images that nobody can pull, and say so as Alertmanager does."""
    for name in (FIRST, SECOND):
        lab.roll_out(name, "registry.example.com/private/x:1")
    posted = httpx2.post(
        f"{url}/api/v1/alarms/alertmanager",
        json={"version": "4", "status": "firing", "alerts": [alert(FIRST), alert(SECOND)]},
        headers={"Authorization": f"Bearer {STATIC['responder']}"},
        trust_env=False,
    )
    assert posted.status_code == 202, posted.text


def undo_of(found: dict[str, Any]) -> str:
    return str({one["name"]: one["digest"] for one in found["remedies"]}["undo-rollout"])


def test_the_loop_with_each_kind_of_token(terminal: Terminal) -> None:
    lab = Lab(terminal)
    tokens = {"on-call": lab.account("on-call"), "reader": lab.account("reader")}
    lab.lets_repair("on-call")
    good = {name: lab.image(name) for name in (FIRST, SECOND)}
    process, url = daemon(terminal, lab)
    try:
        broken(lab, url)
        viewer, responder, approver, on_call, reader = (
            other(terminal, url, token) for token in (*STATIC.values(), *tokens.values())
        )
        resting = ("waiting", "handed-over", "unexplained")
        found = {
            one["diagnosis"]["subject"]["name"]: one
            for one in (viewer.until(f"INC-000{number}", *resting) for number in (1, 2))
        }
        first, second = (found[name]["incident"] for name in (FIRST, SECOND))
        undo = undo_of(found[FIRST])

        rejecting = ("reject", first, undo, "--because", "not now")
        for one in (viewer, reader):
            assert "no role responder" in one.run("ack", first, status=4)
        responder.run("ack", first)
        for one in (viewer, reader, responder):
            for words in (("approve", first, undo), rejecting):
                assert "no role approver" in one.run(*words, status=4)
        forged = tokens["on-call"][:-4] + ("0" * 4)
        assert "token" in other(terminal, url, forged).run("incidents", status=1)
        assert lab.image(FIRST) != good[FIRST]

        on_call.run("approve", first, undo)
        approver.run("approve", second, undo_of(found[SECOND]))
        assert "decided already" in approver.run("approve", first, undo, status=4)
        for incident in (first, second):
            viewer.until(incident, "watching", "verified", "recovered", "mitigated")
        assert {name: lab.image(name) for name in (FIRST, SECOND)} == good
        told = [reader.run("incidents", "show", one) for one in (first, second)]
        assert "approved by system:serviceaccount:default:on-call" in told[0]
        assert "t-rosa-user" in told[0]
        assert "approved by t-carol-user" in told[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        lab.client.close()
    assert process.returncode == 0
