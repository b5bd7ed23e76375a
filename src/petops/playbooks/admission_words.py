"""Why the API server refuses a pod, by its own words: admission, policies, webhooks, checks. Pure.

A refusal begins with what was to be made, and after it comes who says no. Only that beginning is
read: what a webhook or a policy adds, and every name, is text of others.
"""

from __future__ import annotations

import re
from typing import Final

_QUOTED: Final = re.compile(r'"[^"]*(?:"|$)')
# Controllers say which pod it was about; a Deployment's condition does not.
_TOLD: Final = re.compile(
    r"(?:\(combined from similar events\): )?"
    r"(?:Error creating: |create (?:Pod|Claim) \S+ (?:for Pod \S+ )?in StatefulSet \S+ failed "
    r"error: )?"
)
_FORBIDDEN: Final = r'(?:pods|persistentvolumeclaims) "" is forbidden: '
_WORDS: Final = (
    ("quota", re.compile(_FORBIDDEN + r"exceeded quota: ")),
    ("quota-unsaid", re.compile(_FORBIDDEN + r"failed quota: \S+: must specify ")),
    (
        "account",
        re.compile(_FORBIDDEN + r'error looking up service account \S+: serviceaccount "" '),
    ),
    ("pod-security", re.compile(_FORBIDDEN + r"(?:violates PodSecurity|PodSecurityPolicy: )")),
    (
        "limits",
        re.compile(
            _FORBIDDEN + r"\[?(?:(?:maximum|minimum) \S+ usage per \w+ is"
            r"|\S+ max limit to request ratio per \w+ is)"
        ),
    ),
    ("priority", re.compile(_FORBIDDEN + r"[Nn]o PriorityClass with name \S+ was found")),
    ("runtime-class", re.compile(_FORBIDDEN + r'pod rejected: RuntimeClass "" not found')),
    ("policy", re.compile(_FORBIDDEN + r"ValidatingAdmissionPolicy ")),
    (
        "namespace",
        re.compile(
            _FORBIDDEN + r"unable to create new content in namespace \S+ because it is being term"
        ),
    ),
    ("forbidden", re.compile(_FORBIDDEN)),
    (
        "denied",
        re.compile(r'(?:Internal error occurred: )?admission webhook "" denied the request'),
    ),
    (
        "webhook-away",
        re.compile(r'(?:Internal error occurred: )?failed calling (?:admission )?webhook ""'),
    ),
    ("invalid", re.compile(r'(?:Pod|PersistentVolumeClaim) "" is invalid: ')),
)
# In what comes after "failed calling webhook": how the call failed.
_CALLS: Final = (
    (re.compile(r"x509: |tls: "), "its certificate is not trusted or has expired"),
    (re.compile(r"no endpoints available for service"), "its Service has no endpoints"),
    (re.compile(r'service "" not found'), "its Service does not exist"),
    (re.compile(r"connection refused|no route to host|no such host|\bEOF\b"), "it does not answer"),
    (
        re.compile(r"context deadline exceeded|i/o timeout|Client\.Timeout|awaiting headers"),
        "it does not answer in time",
    ),
)
OF_TEMPLATE: Final = frozenset(
    {"account", "pod-security", "limits", "priority", "runtime-class", "policy", "denied"}
    | {"invalid", "quota-unsaid"}
)
"""What a pod template can be to blame for: an earlier revision may be let in."""
OF_ALL: Final = frozenset({"webhook-away", "namespace"})
"""What refuses every pod: no earlier revision would be let in either."""

SAID: Final = {
    "quota-unsaid": "a quota of the namespace wants requests and limits that they do not state",
    "account": "their ServiceAccount does not exist",
    "pod-security": "they violate the namespace's PodSecurity level",
    "limits": "they are outside of the namespace's LimitRange",
    "priority": "their PriorityClass does not exist",
    "runtime-class": "their RuntimeClass does not exist",
    "policy": "an admission policy denies them",
    "namespace": "their namespace is being deleted",
    "forbidden": "they are forbidden, for a reason that petops does not know",
    "denied": "an admission webhook denies them",
    "webhook-away": "an admission webhook cannot be called",
    "invalid": "their specification is invalid",
    "": "for a reason that petops does not know",
}
ADVICE: Final = {
    "quota-unsaid": "state requests and limits, or give the namespace a LimitRange with defaults",
    "account": "create the ServiceAccount, or correct serviceAccountName in the pod template",
    "pod-security": "meet the level in the pod's security context; loosen the namespace's level "
    "only if that is decided",
    "limits": "ask for what the LimitRange admits, or change the LimitRange",
    "priority": "create the PriorityClass, or correct priorityClassName in the pod template",
    "runtime-class": "create the RuntimeClass, or correct runtimeClassName in the pod template",
    "policy": "meet the policy, or have it changed by whoever owns it",
    "namespace": "find out who deletes the namespace: nothing can be made in it any more",
    "forbidden": "read the events of the ReplicaSet, StatefulSet, DaemonSet or Job",
    "denied": "meet what the webhook asks for, or have its rule changed by whoever owns it",
    "webhook-away": "bring the webhook's own pods, Service and certificate back; do not delete its "
    "configuration before you know what it guards",
    "invalid": "correct the pod template",
    "": "read the events of the ReplicaSet, StatefulSet, DaemonSet or Job",
}


def why_not(message: str) -> str:
    """Return which of the known reasons a refusal gives; empty for none, "quota" for a quota's."""
    words = _plain(message)
    return next((key for key, pattern in _WORDS if pattern.match(words)), "")


def how_called(message: str) -> str:
    """Return in words how the call of a webhook failed; empty where that is not known."""
    words = _plain(message)
    return next((said for pattern, said in _CALLS if pattern.search(words)), "")


def tail_of(message: str) -> str:
    """Return a refusal without what its controller says before it."""
    return _TOLD.sub("", message, count=1)


def _plain(message: str) -> str:
    return _TOLD.sub("", _QUOTED.sub('""', message), count=1)
