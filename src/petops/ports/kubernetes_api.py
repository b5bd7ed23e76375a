"""The Kubernetes API as its adapters use it: paths, answers, one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from petops.domain.subject import Kind, Subject
from petops.errors import ForbiddenError, NotThereError, SourceError

RESOURCES: Final[Mapping[Kind, str]] = {
    Kind.DEPLOYMENT: "/apis/apps/v1/namespaces/{namespace}/deployments",
    Kind.STATEFUL_SET: "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    Kind.DAEMON_SET: "/apis/apps/v1/namespaces/{namespace}/daemonsets",
    Kind.REPLICA_SET: "/apis/apps/v1/namespaces/{namespace}/replicasets",
    Kind.JOB: "/apis/batch/v1/namespaces/{namespace}/jobs",
    Kind.POD: "/api/v1/namespaces/{namespace}/pods",
    Kind.SERVICE: "/api/v1/namespaces/{namespace}/services",
    Kind.NODE: "/api/v1/nodes",
    Kind.AUTOSCALER: "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
    Kind.VOLUME_CLAIM: "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
}
"""Where the Kubernetes API keeps each kind; what reads and what acts agree on it here."""


def object_path(subject: Subject) -> str:
    """Return the path of one object in the Kubernetes API."""
    folder = RESOURCES[subject.kind].format(namespace=subject.namespace)
    return f"{folder}/{subject.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """What an API server answered, whatever its status. `body` is JSON, or text if it was none."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """What the server says in its `Status` object; a proxy in between says it in plain text."""
        said = self.body.get("message") if isinstance(self.body, Mapping) else self.body
        return str(said or f"status {self.status}").strip()[:500]

    def failure(self, asked: str) -> SourceError | None:
        """Say what this answer to the question `asked` means if it is no success; else None."""
        if 200 <= self.status < 300:
            return None
        match self.status:
            case 401:
                return ForbiddenError(
                    "Kubernetes does not know who petops is (401): credentials missing or expired",
                    hint="does `kubectl auth whoami` work with the same kubeconfig and context?",
                )
            case 403:
                return ForbiddenError(
                    f"Kubernetes forbids it: {self.message}",
                    hint="`petops manifests` shows the role that petops needs",
                )
            case 404:
                return NotThereError(f"Kubernetes has no {asked}: {self.message}")
            case 429:
                return SourceError(
                    "Kubernetes asks for fewer requests (429)",
                    hint="ask again in a minute",
                )
            case _:
                return SourceError(f"Kubernetes answered {self.status} to {asked}: {self.message}")


class KubernetesCalls(Protocol):
    """One call to a Kubernetes API server: all that its adapters need of a client."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str | None = None,
    ) -> ApiAnswer:
        """Return the answer, whatever its status.

        Raise SourceError where no answer came and nothing was done, OutcomeUnknownError where a
        method that writes was sent and its answer never came.
        """
