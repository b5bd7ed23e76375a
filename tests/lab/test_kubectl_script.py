"""A script of kubectl commands, as people type them: each ends well and says the right thing."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from tests.lab.kubectl import Kubectl, served

pytestmark = pytest.mark.slow

BURN = Path(__file__).parents[2] / "chaos-engineering" / "scenarios" / "cpu-stress-scenario.yaml"

# Each command with a part of what it prints. `!` in front: it is to fail.
SCRIPT = """
version | v1.32
cluster-info | is running at
api-resources | poddisruptionbudgets
get pods | petsite-
explain deploy.spec.strategy.rollingUpdate.maxSurge | scheduled above the desired number
explain pod.spec.containers --recursive | terminationMessagePolicy
!explain pod.spec.nothing | does not exist
get ing,sc,pv,crd,apiservices,priorityclasses,netpol,csr,rc -A | gp2
get pods -o wide | ip-10-0-
get pods -A | kube-proxy-
get deploy -o json | "kind": "List"
get deploy petsite -o yaml | revision
get deploy -o name | deployment.apps/petsite
get deploy petsite -o jsonpath={.spec.replicas} | 2
get pods -l app=petsite,component=service | petsite-
get pods --field-selector status.phase=Running | petsite-
get all | replicaset.apps/
get ds -n kube-system | aws-node
get svc,ep,endpointslices,pdb,hpa | cpu:
get leases -n kube-node-lease | ip-10-0-
get clusterroles,clusterrolebindings | ClusterRole/lab-reader
describe deploy petsite | NewReplicaSetAvailable
describe pod -l app=petsite | Burstable
describe node | KubeletHasSufficientMemory
describe hpa payforadoption-go | ValidMetricFound
describe pdb petsite | Allowed disruptions
top pods | Mi
top pods --containers -A | coredns
top nodes | %
logs deploy/petsite --tail=2 | requests answered
create ns shop | created
create deployment web --image=shop/web:1 --replicas=2 -n shop | created
expose deployment web --port=80 --target-port=8080 -n shop | exposed
autoscale deployment web --min=1 --max=3 --cpu-percent=70 -n shop | autoscaled
!autoscale deployment web --min=1 --max=3 --cpu-percent=70 -n shop | already exists
delete hpa web -n shop | deleted
create cronjob tick --image=busybox --schedule='*/5 * * * *' -n shop | created
!create cronjob never --image=busybox --schedule=never -n shop | expected exactly 5 fields
create ingress web --rule=shop.example.com/*=web:80 -n shop | created
describe ing web -n shop | web:80 (
create priorityclass high --value=1000 | created
rollout status deploy/web -n shop --timeout=30s | successfully rolled out
set image deploy/web web=shop/web:2 -n shop | image updated
set resources deploy/web --limits=cpu=100m,memory=64Mi -n shop | requirements updated
set env deploy/web LEVEL=debug -n shop | env updated
rollout status deploy/web -n shop --timeout=40s | successfully rolled out
rollout history deploy/web -n shop | REVISION
rollout undo deploy/web -n shop --to-revision=1 | rolled back
rollout restart deploy/web -n shop | restarted
rollout pause deploy/web -n shop | paused
rollout resume deploy/web -n shop | resumed
scale deploy/web --replicas=3 -n shop | scaled
wait --for=condition=Available deploy/web -n shop --timeout=30s | condition met
label deploy web tier=front -n shop | labeled
annotate deploy web note=hello -n shop | annotated
patch deploy web -n shop --type=merge -p '{"metadata":{"labels":{"a":"b"}}}' | patched
patch deploy web -n shop --type=strategic -p '{"spec":{"minReadySeconds":1}}' | patched
patch deploy web -n shop --type=json -p '[{"op":"remove","path":"/spec/minReadySeconds"}]' | patched
!patch deploy web -n shop -p '{"spec":{"replicas":-1}}' | must be greater than
create configmap c --from-literal=a=b -n shop | created
create secret generic s --from-literal=a=b -n shop | created
create job once --image=busybox -n shop -- sh -c 'echo hi' | created
wait --for=condition=Complete job/once -n shop --timeout=60s | condition met
create serviceaccount robot -n shop | created
create role reader --verb=get,list --resource=pods -n shop | created
create rolebinding robot --role=reader --serviceaccount=shop:robot -n shop | created
auth can-i list pods --as system:serviceaccount:shop:robot -n shop | yes
!auth can-i delete pods --as system:serviceaccount:shop:robot -n shop | no
!get secrets --as system:serviceaccount:shop:robot -n shop | is forbidden
auth whoami | lab-admin
create token robot -n shop | .
create quota q --hard=pods=10,requests.cpu=1 -n shop | created
get quota -n shop | pods:
create pdb web --selector=app=web --min-available=1 -n shop | created
get events -n shop | ScalingReplicaSet
events -n shop --for deployment/web | ScalingReplicaSet
get --raw /readyz | ok
apply -f BURN | created
apply -f BURN | unchanged
diff -f BURN | EMPTY
apply --server-side --force-conflicts -f BURN | serverside-applied
delete -f BURN | deleted
cordon NODE | cordoned
drain NODE --ignore-daemonsets --delete-emptydir-data --timeout=60s | drained
uncordon NODE | uncordoned
!get pod nope | (NotFound)
!apply -f WIDGET | no matches for kind "Widget" in version
!get nonsense | doesn't have a resource type
delete ns shop --timeout=40s | deleted
"""


def commands(node: str, widget: Path) -> list[tuple[list[str], bool, str]]:
    found = []
    for line in SCRIPT.strip().splitlines():
        command, _, wanted = line.rpartition("|")
        text = command.strip().replace("BURN", str(BURN)).replace("NODE", node)
        text = text.replace("WIDGET", str(widget))
        fails = text.startswith("!")
        found.append((shlex.split(text.removeprefix("!")), fails, wanted.strip()))
    return found


async def test_a_script_of_commands_runs_clean(tmp_path: Path) -> None:
    async with served() as url:
        kubectl = Kubectl(url, tmp_path)
        node = (await kubectl("get", "nodes", "-o", "name")).split()[0].removeprefix("node/")
        widget = tmp_path / "widget.json"
        widget.write_text('{"apiVersion":"foo.io/v1","kind":"Widget","metadata":{"name":"x"}}')
        script = commands(node, widget)
        assert len(script) >= 60
        for arguments, fails, wanted in script:
            said = await kubectl(*arguments, fails=fails)
            assert said == "" if wanted == "EMPTY" else wanted in said, (arguments, said)


async def test_what_goes_on_for_ever(tmp_path: Path) -> None:
    async with served() as url:
        kubectl = Kubectl(url, tmp_path)
        await kubectl("apply", "-f", str(BURN))
        watching = asyncio.create_task(
            kubectl.first_lines("get", "pods", "-w", "-l", "component=injector", until="1/1")
        )
        assert "payforadoption-go-burn" in await watching
        pod = (await kubectl("get", "pods", "-l", "component=injector", "-o", "name")).strip()
        assert "listening" in await kubectl.first_lines("logs", "-f", pod, until="requests")
        said = await kubectl("logs", "--previous", pod, fails=True)
        assert "previous terminated container" in said
        limits = '{"limits":{"cpu":"300m"}}'
        patch = f'{{"spec":{{"containers":[{{"name":"payforadoption-go","resources":{limits}}}]}}}}'
        resized = await kubectl("patch", pod, "--subresource", "resize", "-p", patch)
        assert "patched" in resized
