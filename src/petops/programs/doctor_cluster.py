"""Is the cluster there, and may petops do there what it has to?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from petops.config import Settings
from petops.domain.subject import ClusterName
from petops.domain.terrain import Permission
from petops.errors import PetopsError, SourceError
from petops.programs.doctor_check import Check, broken, off, ok, unknown, warning
from petops.programs.manifests import Wanted, objects
from petops.sources.kubernetes_calls import AioCalls, open_calls
from petops.sources.kubernetes_reader import one_failure
from petops.sources.kubernetes_site import KubernetesSite

NAMES: Final = ("cluster", "rbac read", "rbac repair")
READ_ROLE: Final = "devops-agent-read"
REPAIR_ROLE: Final = "devops-agent-repair"
_SECONDS: Final = 8.0
_AT_ONCE: Final = 8
_WHO: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_SHOWN: Final = 4


@cache
def rights(role: str) -> tuple[Permission, ...]:
    """Return what a role of the manifests grants, cluster-wide."""
    (found,) = [
        one
        for one in objects(Wanted(overlay="repair"))
        if one["kind"] == "ClusterRole" and one["metadata"]["name"] == role
    ]
    return tuple(
        Permission(
            verb=verb,
            group=group,
            resource=resource.partition("/")[0],
            namespace="",
            subresource=resource.partition("/")[2],
        )
        for rule in found["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


async def look(settings: Settings) -> Sequence[Check]:
    """Connect as the engine would, and ask Kubernetes for each right."""
    where = settings.cluster
    try:
        async with open_calls(
            kubeconfig=where.kubeconfig, context=where.context, seconds=_SECONDS
        ) as calls:
            cluster = await _cluster(calls, settings)
            site = KubernetesSite(calls, ClusterName(name=where.name))
            with one_failure():
                async with asyncio.TaskGroup() as group:
                    reads = group.create_task(_missing(site, READ_ROLE))
                    repairs = group.create_task(_missing(site, REPAIR_ROLE))
            return cluster, _reads(reads.result(), settings), _repairs(repairs.result(), settings)
    except PetopsError as exc:
        why = "the cluster cannot be asked"
        is_ours = exc.hint in {None, "petops doctor"}
        fix = "is this the cluster? kubectl cluster-info" if is_ours else exc.hint or ""
        return broken(NAMES[0], exc.message, fix), *(unknown(one, why) for one in NAMES[1:])


async def server_time(settings: Settings) -> datetime:
    """Return the API server's time: it dates the review that says who we are."""
    where = settings.cluster
    async with open_calls(
        kubeconfig=where.kubeconfig, context=where.context, seconds=_SECONDS
    ) as calls:
        document = await _who(calls)
    text = str((document.get("metadata") or {}).get("creationTimestamp") or "")
    try:
        # It has whole seconds: what they leave off is half a second, on average.
        return datetime.fromisoformat(text).astimezone(UTC) + timedelta(milliseconds=500)
    except ValueError as exc:
        raise SourceError("Kubernetes did not date its answer") from exc


async def _who(calls: AioCalls) -> dict[str, dict[str, dict[str, str]]]:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await calls.request("POST", _WHO, body=review)
    if failure := answer.failure("SelfSubjectReview"):
        raise failure
    if not isinstance(answer.body, dict):
        raise SourceError("what answers for Kubernetes is no API server")
    return answer.body


async def _cluster(calls: AioCalls, settings: Settings) -> Check:
    version = await calls.request("GET", "/version")
    if failure := version.failure("/version"):
        raise failure
    if not isinstance(version.body, dict) or "gitVersion" not in version.body:
        raise SourceError(
            "what answers for Kubernetes is no API server",
            hint="is the address in the kubeconfig right?",
        )
    document = await _who(calls)
    user = document.get("status", {}).get("userInfo", {}).get("username", "nobody")
    name = settings.cluster.name or calls.cluster.name
    told = f"Kubernetes {version.body['gitVersion']} answers, and knows us as {user}"
    if not name:
        return broken(
            NAMES[0],
            f"{told}; but which cluster it is, is not known",
            "set cluster.name in petops.toml, as `aws eks list-clusters` has it",
        )
    return ok(NAMES[0], f"{name}: {told}")


async def _missing(site: KubernetesSite, role: str) -> list[Permission]:
    """Return what the role would grant and we may not do."""
    asked, places = rights(role), asyncio.Semaphore(_AT_ONCE)

    async def may(permission: Permission) -> bool:
        async with places:
            return await site.may(permission, None)

    with one_failure():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(may(one)) for one in asked]
    return [one for one, task in zip(asked, tasks, strict=True) if not task.result()]


def _reads(missing: Sequence[Permission], settings: Settings) -> Check:
    """Judge what may be read; who may only not ask about others is worse off, and still works."""
    if not missing:
        return ok(NAMES[1], "everything may be read that an investigation asks for")
    fix = "kubectl apply -k manifests/overlays/read-only (or bind the role that it has)"
    told = f"petops may not {_listed(missing)}"
    asking = {one.resource for one in missing if one.verb == "create"}
    if len(asking) < len(missing) or ("tokenreviews" in asking and settings.daemon.token_review):
        return broken(NAMES[1], told, fix)
    return warning(NAMES[1], f"{told}: it cannot ask what others may do", fix)


def _repairs(missing: Sequence[Permission], settings: Settings) -> Check:
    if settings.repair.mode == "observe":
        told = "nothing is changed here (repair.mode is observe)"
        if not missing:
            told += ", although petops would be allowed to"
        return off(NAMES[2], told)
    if not missing:
        return ok(NAMES[2], "every change that a remedy makes is allowed")
    return broken(
        NAMES[2],
        f"petops may not {_listed(missing)}",
        'kubectl apply -k manifests/overlays/repair, or set repair.mode = "observe"',
    )


def _listed(missing: Sequence[Permission]) -> str:
    more = len(missing) - _SHOWN
    return "; ".join(map(str, missing[:_SHOWN])) + (f"; and {more} more" if more > 0 else "")
