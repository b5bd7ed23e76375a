"""Image pull: containers wait for an image that the registry does not give.

Why it does not is told by the runtime's own words: not found, denied, a name that does not resolve,
no space, a rate limit, no answer. Look-alikes: a pull that is only slow, a crash after the start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import AffectedPods, Container
from petops.playbooks.base import OF_WORKLOADS, Case, Evidence, FailureMode, Ledger, suspected_in
from petops.playbooks.pod_trouble import living, pulls_in_vain, quoted, worst_of
from petops.playbooks.pod_watch import any_container, for_two_minutes, judged_by
from petops.playbooks.steps.objects import nearby_pods, object_events
from petops.playbooks.steps.workloads import affected_pods, node_conditions, recent_rollouts

NAME = "image-pull"
REMEDIES = ("undo-rollout", "fix-image")
EXPLAINS = ("bad-rollout", "failing-probe", "no-endpoints", "hpa-maxed", "job-failed")

# In this order: a registry hides what one may not see behind "not found", never the other way.
WORDS: Final = (
    ("no-space", re.compile(r"no space left on device")),
    ("dns", re.compile(r"dial tcp: lookup \S+.*(no such host|server misbehaving|i/o timeout)")),
    ("rate-limit", re.compile(r"\b429\b Too Many Requests|toomanyrequests")),
    (
        "denied",
        re.compile(
            r"\b(401 Unauthorized|403 Forbidden)\b|no basic auth credentials|pull access denied"
            r"|authorization failed|insufficient_scope|code = Unauthenticated"
        ),
    ),
    (
        "platform",
        re.compile(
            r"no match for platform in manifest|no matching manifest for \S+ in the manifest"
        ),
    ),
    ("not-found", re.compile(r"code = NotFound\b|: not found\b|manifest unknown")),
    ("never", re.compile(r"is not present with pull policy of Never")),
    ("invalid", re.compile(r"InvalidImageName|couldn't parse image (reference|name)")),
    ("unreachable", re.compile(r"i/o timeout|connection refused|context deadline exceeded|TLS ")),
)
SAID: Final = {
    "no-space": "the node has no space left for it",
    "dns": "the registry's name does not resolve",
    "rate-limit": "the registry limits the rate of pulls",
    "denied": "the registry denies access to it",
    "platform": "there is none of it for the node's kind of processor",
    "not-found": "the registry does not have it",
    "never": "it may not be pulled, and is not on the node",
    "invalid": "its name is no image's name",
    "unreachable": "the registry does not answer",
    "": "the runtime's words do not tell why",
}
ADVICE: Final = {
    "no-space": "free the node's disk, or replace the node",
    "dns": "correct the registry's name, or the DNS that the nodes use",
    "rate-limit": "pull through a cache, or with credentials that have a higher limit",
    "denied": "renew the pull secret, or give the node's role access to the repository",
    "platform": "build it for the node's architecture too, or select nodes that it is built for",
    "not-found": "correct the image's tag or digest, or push it",
    "never": "load the image onto the nodes, or correct imagePullPolicy",
    "invalid": "correct the image's name",
    "unreachable": "look at the way to the registry: security groups, endpoints, proxy",
    "": "read the events of the pod",
}
PROVEN: Final = frozenset({"dns", "denied", "not-found"})
_IN_QUOTES: Final = re.compile(r'"[^"]*"')


def why_not(message: str) -> str:
    """Return which of the known reasons a runtime's message gives; empty for none.

    Names stand in quotes there, and are left out: an image may be called anything.
    """
    words = _IN_QUOTES.sub("", message)
    return next((key for key, pattern in WORDS if pattern.search(words)), "")


def conclude(case: Case, evidence: Evidence) -> Finding:
    """Look for containers that wait for an image, and for the runtime's words on why."""
    del case
    ledger = Ledger(mode=NAME, evidence=evidence)
    affected = evidence.fact(affected_pods)
    statement, refuted_if = "a container waits for an image", "every image was pulled"
    if affected is None:
        ledger.not_measured(affected_pods, statement, refuted_if=refuted_if)
        return ledger.finding(Verdict.UNDECIDED, "its pods are not known")
    waiting = [
        (pod, one) for pod in living(affected.pods) for one in pod.containers if pulls_in_vain(one)
    ]
    if not waiting:
        seen = f"no container of {len(affected.pods)} pods waits for an image"
        ledger.refutes(affected_pods, statement, seen=seen, refuted_if=refuted_if)
        return ledger.finding(Verdict.REFUTED, seen)
    owner = worst_of(pod for pod, _ in waiting)
    own = [(pod, one) for pod, one in waiting if pod.owner == owner]
    pod, container = own[0]
    seen = f"{container.waiting} in {len(own)} of {_count(affected, owner)} pods, {container.image}"
    ledger.supports(affected_pods, 0.65, statement, seen=seen, refuted_if=refuted_if)
    messages = _messages((one for _, one in own), evidence, {found.name for found, _ in own})
    why = next((key for one in messages if (key := why_not(one))), "")
    _why_row(ledger, why, messages)
    because = f"{pod.owner.name}/{container.name} cannot pull {container.image}: {SAID[why]}"
    return ledger.finding(
        Verdict.SUPPORTED,
        because,
        subject=owner,
        container=container.name,
        is_proven=why in PROVEN or not why,
        remedies=REMEDIES,
        explains=EXPLAINS,
        advice=f"{ADVICE[why]} ({container.image})",
    )


def _count(affected: AffectedPods, owner: object) -> int:
    return sum(pod.owner == owner for pod in living(affected.pods))


def _messages(containers: Iterable[Container], evidence: Evidence, pods: set[str]) -> list[str]:
    """Return what the runtime said, the status first: events are gone after an hour."""
    events = evidence.fact(object_events)
    said = [one.waiting_message for one in containers if one.waiting_message]
    said += [
        one.message
        for one in reversed(events.occurrences if events else ())
        if one.kind == "Pod" and one.name in pods and one.reason in {"Failed", "InspectFailed"}
    ]
    return said


def _why_row(ledger: Ledger, why: str, messages: list[str]) -> None:
    statement = f"the runtime says why: {SAID[why]}" if why else "the runtime says why"
    refuted_if = "its message gives another reason"
    if why:
        said = next(one for one in messages if why_not(one) == why)
        tail = quoted(said.rpartition('": ')[2], 200)
        ledger.supports(object_events, 0.3, statement, seen=tail, refuted_if=refuted_if)
        return
    known = "none of the reasons that petops knows" if messages else "no message was kept"
    ledger.not_measured(object_events, statement, refuted_if=refuted_if, why=known)


MODE = FailureMode(
    name=NAME,
    title="image cannot be pulled",
    suspect=suspected_in(*OF_WORKLOADS),
    steps=(affected_pods, object_events, recent_rollouts, node_conditions, nearby_pods),
    conclude=conclude,
    watch_steps=(affected_pods,),
    judge=judged_by(any_container(pulls_in_vain), "the image cannot be pulled"),
    relapse_seconds=for_two_minutes,
    watched="whether every image is pulled, and ready replicas",
)
