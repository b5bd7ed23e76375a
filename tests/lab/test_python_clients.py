"""The kubernetes Python client, plain and asynchronous: watches, bookmarks, 410 and relisting."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from kubernetes import client as plain_client
from kubernetes import config as plain_config
from kubernetes import watch as plain_watch
from kubernetes.aio import client as aio_client
from kubernetes.aio import watch as aio_watch

from petops.lab.store import KEPT_CHANGES
from tests.lab.kubectl import served

plain: Any = plain_client
plain_settings: Any = plain_config
plain_watching: Any = plain_watch
aio: Any = aio_client

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def plainly(url: str, home: Path) -> list[str]:
    """What a program with the plain client does; returns what its watch saw."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
    }
    path = home / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    with plain_settings.new_client_from_config(str(path)) as api:
        core, apps = plain.CoreV1Api(api), plain.AppsV1Api(api)
        pods = core.list_namespaced_pod("default", label_selector="app=petsite")
        assert len(pods.items) == 2
        pages = core.list_namespaced_pod("default", limit=4)
        rest = core.list_namespaced_pod("default", limit=40, _continue=pages.metadata._continue)
        assert len(pages.items) + len(rest.items) == 11
        apps.patch_namespaced_deployment_scale("petsite", "default", {"spec": {"replicas": 3}})
        seen = []
        watching = plain_watching.Watch()
        for event in watching.stream(
            core.list_namespaced_pod,
            "default",
            label_selector="app=petsite",
            resource_version=pods.metadata.resource_version,
            timeout_seconds=10,
        ):
            seen.append(event["type"])
            if event["object"].status.phase == "Running":
                watching.stop()
        with pytest.raises(plain.ApiException) as caught:
            core.read_namespaced_pod("nope", "default")
        assert caught.value.status == 404
        assert json.loads(caught.value.body)["reason"] == "NotFound"
        return seen


async def test_the_plain_client(tmp_path: Path) -> None:
    async with served() as url:
        seen = await asyncio.to_thread(plainly, url, tmp_path)
    assert seen[0] == "ADDED"
    assert "MODIFIED" in seen


async def followed(core: Any, version: str) -> None:
    async with aio_watch.Watch() as watching:  # type: ignore[no-untyped-call]
        async for _ in watching.stream(
            core.list_namespaced_config_map,
            "default",
            resource_version=version,
            timeout_seconds=5,
        ):
            pass


async def test_a_watch_that_is_too_old_gets_410_and_its_client_lists_anew() -> None:
    async with served() as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        listed = (await http.get("/api/v1/namespaces/default/configmaps")).json()
        version = listed["metadata"]["resourceVersion"]
        path = "/api/v1/namespaces/default/configmaps/kube-root-ca.crt"
        headers = {"content-type": "application/merge-patch+json"}
        for number in range(KEPT_CHANGES + 2):
            patch = json.dumps({"data": {"n": str(number)}})
            assert (await http.patch(path, content=patch, headers=headers)).status_code == 200
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "5"}
        late = await http.get("/api/v1/namespaces/default/configmaps", params=query)
        event = json.loads(late.text.splitlines()[0])
        assert (late.status_code, event["type"]) == (200, "ERROR")
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        configuration = aio.Configuration()
        configuration.host = url
        async with aio.ApiClient(configuration) as api:
            core = aio.CoreV1Api(api)
            with pytest.raises(aio.ApiException) as caught:
                await followed(core, version)
            assert caught.value.status == 410
            again = await core.list_namespaced_config_map("default")
            assert int(again.metadata.resource_version) > int(version)


async def test_a_service_account_s_token_is_good_for_what_its_role_says() -> None:
    async with served() as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        base = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
        accounts = "/api/v1/namespaces/default/serviceaccounts"
        await http.post(accounts, json={"metadata": {"name": "robot"}})
        rule = {"verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"]}
        await http.post(f"{base}/roles", json={"metadata": {"name": "reader"}, "rules": [rule]})
        binding = {
            "metadata": {"name": "robot"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "default"}],
        }
        await http.post(f"{base}/rolebindings", json=binding)
        token = (await http.post(f"{accounts}/robot/token", json={"spec": {}})).json()
        headers = {"authorization": f"Bearer {token['status']['token']}"}
        deployments = "/apis/apps/v1/namespaces/default/deployments"
        assert (await http.get(deployments, headers=headers)).status_code == 200
        refused = await http.get("/api/v1/namespaces/default/secrets", headers=headers)
        assert refused.status_code == 403
        assert 'User "system:serviceaccount:default:robot" cannot list' in refused.json()["message"]
        review = {"spec": {"token": token["status"]["token"]}}
        told = (await http.post("/apis/authentication.k8s.io/v1/tokenreviews", json=review)).json()
        assert told["status"]["user"]["username"] == "system:serviceaccount:default:robot"
        await http.delete(f"{accounts}/robot")
        assert (await http.get(deployments, headers=headers)).status_code == 401
