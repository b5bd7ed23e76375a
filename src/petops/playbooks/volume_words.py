"""Why a volume cannot be had, by the words of the kubelet, the attach controller and CSI. Pure.

A message begins with what was tried ("MountVolume.SetUp failed for volume ..."), and after it comes
why. Only that part is read, from its beginning; what is in quotes and what a mount was given as its
arguments are names that people chose, and are left out.
"""

from __future__ import annotations

import re
from typing import Final

from petops.playbooks.starts import plain

_TRIED: Final = re.compile(
    r'(?:Mount|Attach|Map)Volume\.\w+ (?:initialization )?failed for volume "" : '
)
_GENERAL: Final = re.compile(r"Unable to (?:attach or )?mount volumes\b")
_ARGUMENTS: Final = re.compile(r"(?:Mounting )?arguments: .*?(?=Output:|$)", re.DOTALL | re.I)

# At the beginning of what comes after the colon: only Kubernetes writes there.
_FIRST: Final = (
    ("missing", re.compile(r'\[?(?:configmaps?|secrets?) "" not found')),
    ("key", re.compile(r"\[?(?:configmap |secret )?references non-existent (?:config|secret) key")),
    (
        "cache",
        re.compile(
            r"\[?(?:failed to sync (?:configmap|secret) cache: timed out waiting"
            r'|object ""/"" not registered)'
        ),
    ),
    ("token", re.compile(r"\[?failed to fetch token: ")),
    ("host-path", re.compile(r'hostPath type check failed:|path "" does not exist')),
    (
        "driver",
        re.compile(
            r"kubernetes\.io/csi: \S+ failed to (?:create newCsiDriverClient|get CSI client): "
            r"driver name \S+ not found in the list of registered CSI drivers"
            r"|CSINode \S+ does not contain driver "
        ),
    ),
    ("detaching", re.compile(r"volume attachment is being deleted")),
    (
        "timeout",
        re.compile(
            r"timed out waiting for (?:external-attacher|the condition)"
            r"|attachment timeout for volume"
            r"|rpc error: code = (?:DeadlineExceeded|Aborted)\b|context deadline exceeded"
        ),
    ),
)
# Anywhere in what a driver or a mount says, whichever stands first.
_SAID: Final = (
    ("provider-class", re.compile(r"failed to get secretproviderclass ")),
    ("secret-gone", re.compile(r"ResourceNotFoundException: Secrets Manager can't find")),
    (
        "permission",
        re.compile(
            r"UnauthorizedOperation|Access ?Denied|status code: 403\b|StatusCode: 403\b"
            r"|is not authorized to perform|code = (?:PermissionDenied|Unauthenticated)\b"
            r"|access denied by server|[Pp]ermission denied"
        ),
    ),
    ("multi-attach", re.compile(r"\bVolumeInUse\b")),
    ("zone", re.compile(r"InvalidVolume\.ZoneMismatch")),
    ("filesystem", re.compile(r"wrong fs type|unknown filesystem type|bad superblock")),
    ("gone", re.compile(r"InvalidVolume\.NotFound|code = NotFound\b")),
    ("limit", re.compile(r"AttachmentLimitExceeded|code = ResourceExhausted\b")),
    ("unresolved", re.compile(r"Failed to resolve|Name or service not known|no such host")),
    (
        "unreachable",
        re.compile(
            r"Connection (?:timed out|refused)|No route to host|i/o timeout|timeout expired"
        ),
    ),
    ("timeout", re.compile(r"context deadline exceeded|timed out waiting for the condition")),
)
_MOUNT: Final = re.compile(r"mount failed: exit status \d+")
# Of the general message: the lists of volumes before it hold names without spaces.
_CLAIM: Final = (
    (
        "claim-missing",
        re.compile(r'error processing PVC \S+: .*persistentvolumeclaims? "" not found'),
    ),
    (
        "claim-deleted",
        re.compile(r"error processing PVC \S+: (?:PVC is being deleted|can't use PVC)"),
    ),
    ("claim-unbound", re.compile(r"error processing PVC \S+: PVC is not bound")),
)

SAID: Final = {
    "missing": "the ConfigMap or Secret behind it does not exist",
    "key": "its ConfigMap or Secret lacks a key that is mounted",
    "cache": "the kubelet does not get its ConfigMap or Secret from the API server",
    "token": "the kubelet gets no token for its ServiceAccount",
    "provider-class": "its SecretProviderClass cannot be had",
    "secret-gone": "Secrets Manager does not have the secret behind it",
    "host-path": "the node does not have the path",
    "driver": "the CSI driver is not registered on the node",
    "multi-attach": "it is still attached to another node, and can be on one only",
    "zone": "it is in another availability zone than the node",
    "detaching": "it is still being detached",
    "claim-missing": "its PersistentVolumeClaim does not exist",
    "claim-deleted": "its PersistentVolumeClaim is being deleted",
    "claim-unbound": "its PersistentVolumeClaim is not bound",
    "permission": "access to it is denied",
    "filesystem": "its file system cannot be mounted",
    "gone": "the volume behind it does not exist",
    "limit": "the node can have no more volumes",
    "unresolved": "its server's name does not resolve",
    "unreachable": "its server does not answer",
    "mount": "mounting it fails",
    "timeout": "attaching or mounting it takes too long",
    "": "the words that Kubernetes has for it do not tell why",
}
ADVICE: Final = {
    "missing": "create what is missing, or correct the name in the pod template",
    "key": "add the key, or correct the items in the pod template",
    "cache": "look at the kubelet's way to the API server on that node",
    "token": "see that its ServiceAccount is there, and that the kubelet may ask for its tokens",
    "provider-class": "create the SecretProviderClass in its namespace, or correct the name",
    "secret-gone": "create the secret in that region, or correct its name in the "
    "SecretProviderClass",
    "host-path": "create the path on the nodes, or correct hostPath's path and type",
    "driver": "look at the CSI driver's DaemonSet on that node, and at the kubelet's registrations",
    "multi-attach": "end the pod that still uses it; where its node is gone, delete that pod and "
    "see to its VolumeAttachment; a rolling update of a ReadWriteOnce volume wants Recreate",
    "zone": "let the pod run in the volume's zone: its class should bind when the first pod comes",
    "detaching": "wait, then look at its VolumeAttachment and at the CSI controller's log",
    "claim-missing": "create the claim, or correct its name in the pod template",
    "claim-deleted": "find out who deleted the claim; its data goes with its last pod",
    "claim-unbound": "look at the claim's events: its class, zone and provisioner",
    "permission": "give the CSI driver's role (or the pod's, for secrets) what it was denied",
    "filesystem": "compare fsType with what is on the volume; do not format it",
    "gone": "find out who deleted the volume; restore it from a snapshot",
    "limit": "spread the pods over more nodes, or use instances that take more volumes",
    "unresolved": "correct the server's name (the file system's id and region), or the VPC's DNS",
    "unreachable": "let the nodes reach it: security group (NFS: port 2049), mount target",
    "mount": "read the message of mount: options, security group, mount target",
    "timeout": "look at the CSI controller's and node's pods, and at the VolumeAttachment",
    "": "read the events of the pod",
}
OF_CONFIG: Final = frozenset({"missing", "key", "provider-class", "secret-gone"})


def why_not(message: str) -> str:
    """Return which of the known reasons a message gives; empty for none."""
    words = plain(message)
    if words.startswith("Multi-Attach error for volume"):
        return "multi-attach"
    if _GENERAL.match(words):
        return _first_of(_CLAIM, words) or "timeout"
    tried = _TRIED.match(words)
    if tried is None:
        return ""
    why = _ARGUMENTS.sub("", words[tried.end() :])
    first = next((key for key, pattern in _FIRST if pattern.match(why)), "")
    return first or _first_of(_SAID, why) or ("mount" if _MOUNT.search(why) else "")


def reason_of(messages: list[str]) -> tuple[str, str]:
    """Return the reason that several messages give, and the message that gives it.

    Latest first; that something took too long only counts where nothing says why.
    """
    known = [(why, one) for one in messages if (why := why_not(one))]
    told = [one for one in known if one[0] not in {"timeout", "cache"}]
    return (told or known or [("", messages[0] if messages else "")])[0]


def tail_of(message: str) -> str:
    """Return a message without what was tried, to quote it."""
    head, parting, tail = message.partition(" : ")
    return tail if parting and " failed for volume " in head else message


def _first_of(patterns: tuple[tuple[str, re.Pattern[str]], ...], words: str) -> str:
    """Return the reason whose words stand first."""
    found = [(match.start(), key) for key, pattern in patterns if (match := pattern.search(words))]
    return min(found)[1] if found else ""
