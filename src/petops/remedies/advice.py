"""Advice: what only a person or another system can do, with the command or difference to hand over.

A failure mode's own words come first; what stands here is the command that begins the work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from petops.domain.change import Advice, Change, Risk
from petops.domain.policy import Refusal
from petops.remedies.base import Remedy, Situation

_DESCRIBE: Final = "kubectl describe{space} {kind}/{name}"

_REQUESTS: Final = (
    "kubectl set resources{space} {kind}/{name} -c {container} --requests=cpu=CPU,memory=MEMORY"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What to do, and the command to begin with, both with the subject's names filled in."""

    text: str
    command: str

    def plan(self, situation: Situation) -> Change | Refusal:
        """Return the advice for this situation."""
        subject = situation.finding.culprit or situation.workload.subject
        names = {
            "name": subject.name,
            "kind": subject.kind.lower(),
            "namespace": subject.namespace or "default",
            "space": f" -n {subject.namespace}" if subject.namespace else "",
            "container": situation.finding.container or _only_container(situation) or "CONTAINER",
            "cluster": subject.cluster.name,
        }
        text = situation.finding.advice or self.text.format(**names)
        return Advice(subject=subject, text=text, handover=self.command.format(**names))


def _only_container(situation: Situation) -> str:
    """Return the workload's container where it has one only."""
    spec = json.loads(situation.workload.template or "{}").get("spec") or {}
    names = [str(one["name"]) for one in spec.get("containers") or ()]
    return names[0] if len(names) == 1 else ""


_WORDS: Final[Mapping[str, _Words]] = {
    "add-nodes": _Words(
        text="add nodes to {cluster}: what is there has no room for its pods",
        command="eksctl scale nodegroup --cluster {cluster} --name NODEGROUP --nodes COUNT",
    ),
    "profile-cpu": _Words(
        text="profile where {name}/{container} spends its time before giving it more of it",
        command="kubectl debug{space} {kind}/{name} -c {container} --profile=general",
    ),
    "fix-iam": _Words(
        text="give the role of {name}'s service account what it was denied",
        command="kubectl get serviceaccount{space} -o yaml; "
        "aws iam simulate-principal-policy --policy-source-arn ROLE --action-names ACTION",
    ),
    "fix-image": _Words(
        text="set an image that exists and may be pulled",
        command="kubectl set image{space} {kind}/{name} {container}=IMAGE",
    ),
    "fix-probe": _Words(
        text="give the probe of {name}/{container} more time, or a startup probe",
        command="kubectl edit{space} {kind}/{name}",
    ),
    "fix-config": _Words(
        text="restore what {name} needs in order to start: its ConfigMap, Secret or arguments",
        command=_DESCRIBE,
    ),
    "fix-selector": _Words(
        text="let the Service select the pods of {name}, at the port that they serve",
        command="kubectl get service,endpointslice{space} -o wide",
    ),
    "raise-quota": _Words(
        text="raise the quota of namespace {namespace}, or ask for less in it",
        command="kubectl describe resourcequota{space}",
    ),
    "lower-requests": _Words(
        text="request what {name} uses (the 95th percentile), so that it finds a node",
        command=_REQUESTS,
    ),
    "set-requests": _Words(
        text="request what {name} uses (the 95th percentile), so that it is placed where it fits",
        command=_REQUESTS,
    ),
    "fix-dependency": _Words(
        text="look at what {name} calls: shed load, break the circuit or fail over there",
        command="kubectl logs{space} {kind}/{name} -c {container} --since=15m",
    ),
    "free-disk": _Words(
        text="free or grow the disk of {name}; a volume that was grown cannot be shrunk",
        command=_DESCRIBE,
    ),
    "replace-node": _Words(
        text="replace node {name} once it is empty, or let the node group do it",
        command="aws ec2 terminate-instances --instance-ids INSTANCE  # after the drain",
    ),
    "fix-job": _Words(
        text="find why the job {name} fails, then run it once more",
        command="kubectl logs{space} job/{name} --all-containers --tail=100",
    ),
    "fix-scheduling": _Words(
        text="let a node fit {name}: its selector, affinity, tolerations or volume's zone",
        command=_DESCRIBE,
    ),
    "fix-volume": _Words(
        text="let {name} have its volume: its claim, its attachment, or the driver on the node",
        command="kubectl get pvc,events{space}; kubectl get volumeattachment,csinode",
    ),
    "fix-network": _Words(
        text="let the nodes give the pods of {name} a network: addresses, and the plugin's agent",
        command="kubectl get pods -n kube-system -l k8s-app=aws-node -o wide; "
        "kubectl logs -n kube-system -l k8s-app=aws-node -c aws-node --tail=50",
    ),
    "fix-admission": _Words(
        text="meet what refuses the pods of {name}, or mend it",
        command="kubectl get events{space} --field-selector reason=FailedCreate; "
        "kubectl get serviceaccount,limitrange{space}",
    ),
    "fix-network-policy": _Words(
        text="let the traffic of {name} through that a policy or security group stops",
        command="kubectl get networkpolicy{space} -o yaml",
    ),
    "look-closer": _Words(
        text="look at {name} by hand: petops changes nothing here",
        command=_DESCRIBE,
    ),
}

REMEDIES: Final[tuple[Remedy, ...]] = tuple(
    Remedy(name=name, risk=Risk.GREEN, plan=words.plan, guards=()) for name, words in _WORDS.items()
)
