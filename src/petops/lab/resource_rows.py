"""What a row of the API is, and the rows that nothing in the lab acts on: kept, listed, watched.

A cluster has them, and manifests hold them; what would be done about them (a volume bound, an
ingress given an address) happens outside of the lab.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATED_ONLY: Final = ("create",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One row of the API. `plural` is also the name that the store knows it by."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[str, ...] = ()
    preferred: bool = field(default=True)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """The name that messages use: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """The kind that messages use: `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind


SCALE: Final = Resource(plural="scales", kind="Scale", group="autoscaling")
"""What hangs below workloads, for its columns: nothing is stored under this name."""

_STATUS: Final = ("status",)


def _row(
    kind: str,
    plural: str,
    group: str = "",
    short: tuple[str, ...] = (),
    below: tuple[str, ...] = (),
    *,
    namespaced: bool = False,
) -> Resource:
    return Resource(
        plural=plural,
        kind=kind,
        group=group,
        short=short,
        subresources=below,
        namespaced=namespaced,
    )


MORE: Final[tuple[Resource, ...]] = (
    _row("PersistentVolume", "persistentvolumes", "", ("pv",), _STATUS),
    _row("PodTemplate", "podtemplates", namespaced=True),
    _row(
        "ReplicationController",
        "replicationcontrollers",
        "",
        ("rc",),
        ("scale", "status"),
        namespaced=True,
    ),
    _row(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "admissionregistration.k8s.io",
    ),
    _row(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "admissionregistration.k8s.io",
    ),
    _row(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        ("crd", "crds"),
        _STATUS,
    ),
    _row("APIService", "apiservices", "apiregistration.k8s.io", (), _STATUS),
    _row(
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "certificates.k8s.io",
        ("csr",),
        _STATUS,
    ),
    _row("IngressClass", "ingressclasses", "networking.k8s.io"),
    _row("Ingress", "ingresses", "networking.k8s.io", ("ing",), _STATUS, namespaced=True),
    _row("RuntimeClass", "runtimeclasses", "node.k8s.io"),
    _row("PriorityClass", "priorityclasses", "scheduling.k8s.io", ("pc",)),
    _row("CSIDriver", "csidrivers", "storage.k8s.io"),
    _row("CSINode", "csinodes", "storage.k8s.io"),
    _row("StorageClass", "storageclasses", "storage.k8s.io", ("sc",)),
    _row("VolumeAttachment", "volumeattachments", "storage.k8s.io", (), _STATUS),
)
