"""The rendered Deployment of two replicas, run: its command, arguments, variables and files.

What a pod has and a process of this machine has not is put in its place, and nothing else: folders
are mounted below one of our own, the port is a free one, and the pod's account is met by a
kubeconfig. Rights are the account's own: the lab's API evaluates the rendered roles.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from petops.lab.children import free_port
from petops.programs.manifests import Wanted, objects, text
from tests import postgres
from tests.lab.kubectl import Kubectl, served
from tests.surfaces.replicas import Pair, Replica, alarm_event, lease, pair_of

pytestmark = pytest.mark.slow

PORT = "8080"
NAMESPACE = "devops-agent"


class Pod:
    """A container of a rendered Deployment, as a process of this machine."""

    def __init__(
        self, rendered: list[Any], folder: Path, name: str, secret: dict[str, str]
    ) -> None:
        self._objects = {(one["kind"], one["metadata"]["name"]): one for one in rendered}
        self._folder, self._secret = folder / name, secret
        self._port = free_port()
        spec = self._objects["Deployment", "devops-agent"]["spec"]["template"]["spec"]
        (self.container,) = spec["containers"]
        self.mounted = {
            one["mountPath"]: next(each for each in spec["volumes"] if each["name"] == one["name"])
            for one in self.container["volumeMounts"]
        }
        for path, volume in self.mounted.items():
            self._mount(self._folder / path.lstrip("/"), volume)

    def _mount(self, place: Path, volume: Any) -> None:
        place.mkdir(parents=True)
        files: dict[str, str] = {}
        match volume:
            case {"configMap": {"name": name}}:
                files = self._objects["ConfigMap", name]["data"]
            case {"secret": {"secretName": "devops-agent"}}:
                files = self._secret
            case {"emptyDir": _}:
                pass
            case _:
                raise AssertionError(f"what is mounted by {volume}?")
        for name, content in files.items():
            (place / name).write_text(self._here(content), encoding="utf-8")

    def _here(self, given: str) -> str:
        """Return text with the pod's folders and its port as they are here."""
        for path in self.mounted:
            if path != "/tmp":  # noqa: S108 - the pod's
                given = given.replace(path, str(self._folder / path.lstrip("/")))
        given = re.sub(rf"^port = {PORT}$", f"port = {self._port}", given, flags=re.MULTILINE)
        return re.sub(rf"^(http://127\.0\.0\.1):{PORT}$", rf"\1:{self._port}", given)

    def environment(self) -> dict[str, str]:
        """Return the image's variables and the container's."""
        found = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "HOME": str(self._folder / "tmp"),
        }
        for one in self.container["env"]:
            match one:
                case {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}:
                    value = "127.0.0.1"
                case {"valueFrom": {"secretKeyRef": {"name": "devops-agent", "key": key}}}:
                    value = self._secret[key]
                case {"value": given}:
                    value = re.sub(r"\$\((\w+)\)", lambda name: found[name[1]], given)
                case _:
                    raise AssertionError(f"where does {one} come from?")
            found[one["name"]] = self._here(value)
        return found

    def replica(self, name: str, kubeconfig: Path) -> Replica:
        assert "command" not in self.container, "the image's own entry point is what runs"
        account = {
            "KUBECONFIG": str(kubeconfig),
            "PETOPS_LEASE": f"{NAMESPACE}/devops-agent",  # the account's mount has the namespace
            "PETOPS_REPLICA": name,  # the pod's host name
        }
        return Replica(
            name,
            self.environment() | account,
            self._folder,
            self.container["args"],
            port=self._port,
        )

    def written(self) -> set[str]:
        """Return what lies where nothing may be written."""
        return {
            str(one.relative_to(self._folder))
            for path, volume in self.mounted.items()
            if "emptyDir" not in volume
            for one in (self._folder / path.lstrip("/")).rglob("*")
        }


def with_access(rendered: list[Any]) -> list[Any]:
    """Put in what an installation has to say for itself: who may do what."""
    (settings,) = [
        one
        for one in rendered
        if one["kind"] == "ConfigMap" and "petops.toml" in one.get("data", {})
    ]
    given = settings["data"]["petops.toml"]
    comment = '# [[access]]\n# groups = ["sre"]\n# roles = ["approver"]\n'
    assert comment in given
    meant = '[[access]]\ngroups = ["system:serviceaccounts:default"]\nroles = ["approver"]\n'
    settings["data"]["petops.toml"] = given.replace(comment, meant)
    return rendered


def kubeconfig(api: str, token: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "pod",
            "clusters": [{"name": "pod", "cluster": {"server": api}}],
            "users": [{"name": "account", "user": {"token": token}}],
            "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "account"}}],
        }
    )


async def account_token(api: str, namespace: str, name: str) -> str:
    """Return a token of a ServiceAccount, as a pod gets one."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    async with httpx2.AsyncClient(base_url=api, trust_env=False) as client:
        answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["status"]["token"])


def probes(container: Any) -> Iterator[str]:
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        yield container[kind]["httpGet"]["path"]


@asynccontextmanager
async def installed(folder: Path, database: str) -> AsyncIterator[tuple[str, list[Pod], Pair]]:
    """Apply what `petops manifests` prints, and run the two pods of the Deployment."""
    rendered = with_access(objects(Wanted(overlay="repair", components=("replicas",))))
    (deployment,) = [
        one
        for one in rendered
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "devops-agent")
    ]
    assert deployment["spec"]["replicas"] == 2
    printed = folder / "printed.yaml"
    printed.write_text(text(rendered), encoding="utf-8")
    async with served() as api:
        kubectl = Kubectl(api, folder)
        await kubectl("apply", "-f", str(printed))
        await kubectl("create", "serviceaccount", "on-call", "-n", "default")
        agent = deployment["spec"]["template"]["spec"]["serviceAccountName"]
        token = await account_token(api, NAMESPACE, agent)
        (folder / "kubeconfig").write_text(kubeconfig(api, token), encoding="utf-8")
        secret = {"journal-url": database, "mcp-token": "of-this-run"}
        names = ("devops-agent-1", "devops-agent-2")
        pods = [Pod(rendered, folder, name, secret) for name in names]
        one, two = (
            pod.replica(name, folder / "kubeconfig") for pod, name in zip(pods, names, strict=True)
        )
        on_call = await account_token(api, "default", "on-call")
        async with pair_of(one, two, on_call) as pair:
            yield api, pods, pair


async def incidents(pair: Pair, at: Replica) -> set[str]:
    answer = await pair.client.get(f"{at.url}/api/v1/incidents")
    assert answer.is_success, answer.text
    return {one["alarm"] for one in answer.json()["incidents"]}


async def posted(pair: Pair, number: int, at: Replica) -> None:
    answer = await pair.client.post(
        f"{at.url}/api/v1/alarms/eventbridge",
        content=alarm_event(number),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 202, answer.text


async def test_two_pods_as_they_are_rendered_share_the_work(tmp_path: Path) -> None:
    if postgres.programs() is None:
        pytest.skip("there is no PostgreSQL here; scripts/postgres.sh fetches one")
    with postgres.running() as database:
        async with installed(tmp_path, database) as (api, pods, pair):
            await pair.ready()
            first = await pair.leader()
            second = pair.other(first)
            assert not await pair.leads(second)
            before = [pod.written() for pod in pods]
            for one in pair.replicas:
                for path in probes(pods[0].container):
                    assert (await pair.client.get(f"{one.url}{path}")).is_success
            assert (await status_for_nobody(f"{first.url}/api/v1/incidents")) == 401

            await posted(pair, 0, at=first)
            await posted(pair, 1, at=second)  # handed on to the one that leads
            for one in pair.replicas:
                assert await incidents(pair, one) == {"alarm-0", "alarm-1"}
            token = (await lease(api, f"{NAMESPACE}/devops-agent"))["leaseTransitions"]

            await first.end(signal.SIGKILL)
            assert await pair.leader([second]) is second
            await posted(pair, 2, at=second)
            assert await incidents(pair, second) == {"alarm-0", "alarm-1", "alarm-2"}
            held = await lease(api, f"{NAMESPACE}/devops-agent")
            assert (held["holderIdentity"], held["leaseTransitions"]) == (second.name, token + 1)
            assert [pod.written() for pod in pods] == before, "these mounts are read-only"
            assert "Traceback" not in first.said + second.said


async def status_for_nobody(url: str) -> int:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return (await client.get(url)).status_code
