"""Real clients against the served API: `kubernetes.aio` and kubectl."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import watch

from petops.lab.children import beside, listening_socket
from petops.lab.kubernetes_server import kubernetes_app
from petops.lab.serving import LoopbackServer
from petops.lab.world import World
from petops.scenarios import BEHAVIOURS, CATALOGUE
from tests.lab.wall_clock import WallClock

KUBECTL = Path(__file__).parents[2] / ".tools" / "kubectl"
LEAK = "petadoptionshistory-py-leak"
client: Any = kubernetes_client  # its types say that nothing is ever there

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """A world on a port of its own, for as long as the block lasts."""
    world = World(WallClock(), behaviours=BEHAVIOURS)
    server = LoopbackServer(kubernetes_app(world), listening_socket())
    async with beside(world.run(), server.run_until_cancelled()):
        await server.ready.wait()
        yield server.url


@asynccontextmanager
async def connected(token: str = "") -> AsyncIterator[Any]:
    async with served() as url:
        configuration = client.Configuration()
        configuration.host = url
        if token:
            configuration.api_key = {
                "BearerToken": f"Bearer {token}",
                "authorization": f"Bearer {token}",
            }
        async with client.ApiClient(configuration) as api:
            yield api


async def test_the_python_client_reads_changes_and_evicts() -> None:
    async with connected() as api:
        core, apps, policy = client.CoreV1Api(api), client.AppsV1Api(api), client.PolicyV1Api(api)
        pods = await core.list_namespaced_pod("default", label_selector="app=petsite")
        assert [pod.status.phase for pod in pods.items] == ["Running", "Running"]
        body = {"spec": {"replicas": 3}}
        changed = await apps.patch_namespaced_deployment("petsite", "default", body)
        assert changed.spec.replicas == 3
        operations = [{"op": "test", "path": "/spec/replicas", "value": 7}]
        with pytest.raises(client.ApiException) as caught:
            await apps.patch_namespaced_deployment("petsite", "default", operations)
        assert caught.value.status == 422
        name = pods.items[0].metadata.name
        eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace="default"))
        await core.create_namespaced_pod_eviction(name, "default", eviction)
        evicted = await core.read_namespaced_pod(name, "default")
        assert evicted.metadata.deletion_timestamp is not None
        budgets = await policy.list_namespaced_pod_disruption_budget("default")
        assert len(budgets.items) == 5
        log = await core.read_namespaced_pod_log(
            pods.items[1].metadata.name, "default", tail_lines=2
        )
        assert len(log.splitlines()) == 2
        review = {
            "spec": {
                "resourceAttributes": {"verb": "patch", "group": "apps", "resource": "deployments"}
            }
        }
        allowed = await client.AuthorizationV1Api(api).create_self_subject_access_review(review)
        assert allowed.status.allowed


async def test_a_token_says_who_one_is() -> None:
    async with connected("lab-read-only") as api:
        apps = client.AppsV1Api(api)
        assert (await apps.read_namespaced_deployment("petsite", "default")).spec.replicas == 2
        with pytest.raises(client.ApiException) as caught:
            await apps.delete_namespaced_deployment("petsite", "default")
        assert caught.value.status == 403


async def test_the_python_client_watches() -> None:
    async with connected() as api:
        core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
        start = (await core.list_namespaced_pod("default")).metadata.resource_version
        (leak,) = CATALOGUE["memory-leak"].documents()
        await apps.create_namespaced_deployment("default", leak)
        seen = []
        async with watch.Watch() as watching:  # type: ignore[no-untyped-call]
            async for event in watching.stream(
                core.list_namespaced_pod, "default", resource_version=start, timeout_seconds=20
            ):
                seen.append(event["type"])
                if event["object"].status.phase == "Running":
                    break
        assert seen[0] == "ADDED"
        assert "MODIFIED" in seen


async def kubectl(url: str, home: Path, *arguments: str, fails: bool = False) -> str:
    if not KUBECTL.exists():
        pytest.skip("there is no .tools/kubectl; `make test` gets it")
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        "--server",
        url,
        *arguments,
        env={"HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert bool(process.returncode) is fails, (out + err).decode()
    return (out + err).decode()


async def test_kubectl_works_against_the_lab(tmp_path: Path) -> None:
    manifest = tmp_path / "leak.yaml"
    manifest.write_text(CATALOGUE["memory-leak"].text)
    async with served() as url:

        async def run(*arguments: str, fails: bool = False) -> str:
            return await kubectl(url, tmp_path, *arguments, fails=fails)

        assert "v1.32" in await run("version")
        assert "petsite" in await run("get", "deploy,rs,pods,svc,pdb,hpa,nodes", "-o", "wide")
        assert "created" in await run("apply", "-f", str(manifest))
        assert "successfully rolled out" in await run("rollout", "status", f"deploy/{LEAK}")
        assert "unchanged" in await run("apply", "-f", str(manifest))
        assert "serverside-applied" in await run(
            "apply", "--server-side", "--force-conflicts", "-f", str(manifest)
        )
        assert "Started container" in await run("describe", "pod", "-l", "component=injector")
        assert "NewReplicaSetAvailable" in await run("describe", "deploy", "petsite")
        assert "release 0.10.0" in await run("rollout", "history", "deploy/petadoptionshistory-py")
        await run("rollout", "restart", "deploy/petsite")
        assert "successfully" in await run("rollout", "status", "deploy/petsite")
        await run("rollout", "undo", "deploy/petadoptionshistory-py")
        assert "successfully" in await run("rollout", "status", "deploy/petadoptionshistory-py")
        await run("scale", "deploy/petsite", "--replicas=3")
        assert "listening" in await run("logs", "deploy/petsite", "--tail=20")
        assert "lab-admin" in await run("auth", "whoami")
        assert "no" in await run(
            "auth", "can-i", "delete", "pods", "--as", "lab-read-only", fails=True
        )
        assert "Forbidden" in await run(
            "delete", "deploy", "petsite", "--as", "lab-read-only", fails=True
        )
        assert "deleted" in await run("delete", "-f", str(manifest))
        assert "unknown field" in await run(
            "patch", "deploy", "petsite", "-p", json.dumps({"spec": {"replicaz": 1}})
        )


async def test_kubectl_drains_a_node(tmp_path: Path) -> None:
    async with served() as url:
        nodes = await kubectl(url, tmp_path, "get", "nodes", "-o", "name")
        node = nodes.split()[0].removeprefix("node/")
        refused = await kubectl(url, tmp_path, "drain", node, "--timeout=50s", fails=True)
        assert "cannot delete DaemonSet-managed Pods" in refused
        drained = await kubectl(
            url, tmp_path, "drain", node, "--ignore-daemonsets", "--timeout=50s"
        )
        assert f"node/{node} drained" in drained
        left = await kubectl(
            url, tmp_path, "get", "pods", "--field-selector", f"spec.nodeName={node}"
        )
        assert "No resources found" in left
        await kubectl(url, tmp_path, "uncordon", node)
