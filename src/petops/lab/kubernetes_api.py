"""The lab's Kubernetes API: one request in, one answer out, without any transport.

Tests and the lab itself call `KubernetesApi.handle`; `kubernetes_server.py` puts HTTP around it.
Whatever comes in, the answer is one that a real API server could give: a refusal is a `Status`,
never a traceback. Who may do what, and with which token, is in `kubernetes_users.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from petops.lab import kubernetes_status as says
from petops.lab import metrics_api
from petops.lab.chance import Chance
from petops.lab.kubernetes_deletes import Deleter
from petops.lab.kubernetes_discovery import discover
from petops.lab.kubernetes_forms import View, shown
from petops.lab.kubernetes_lists import Reader, matcher
from petops.lab.kubernetes_rbac import Authorizer
from petops.lab.kubernetes_request import (
    JSON_TYPE,
    ApiAnswer,
    ApiRequest,
    Target,
    target_of,
    verb_of,
)
from petops.lab.kubernetes_reviews import Reviews
from petops.lab.kubernetes_status import ApiError, Cause, Wish
from petops.lab.kubernetes_subresources import Logs, Subresources
from petops.lab.kubernetes_users import READ_VERBS, User, Users
from petops.lab.kubernetes_watch import stream, watched
from petops.lab.kubernetes_writes import Writer, Written, said_by_store
from petops.lab.port_forwarding import Dial
from petops.lab.port_talk import Talk
from petops.lab.quantities import stamp
from petops.lab.resource_metrics import ResourceMetrics
from petops.lab.store import Json, ObjectStore

Answer = Callable[[ApiRequest, Target], ApiAnswer]

_TOKEN_SECONDS: Final = 3600
_SHORTEST_TOKEN: Final = 600
_LONGEST_TOKEN: Final = 2**32
_REVIEWS: Final = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


class Ports(Protocol):
    """Who answers at pods' ports."""

    def dial(self, pod: Json, port: int) -> Talk:
        """Return who answers at a port; raise PortRefusedError where nobody does."""


def _nothing_to_do() -> None:
    return


class KubernetesApi:
    """Answers requests about one store of objects.

    `prepare` runs before each request, so that a world can catch up with its clock first. A
    `read_only` API, of a recorded cluster, refuses every write to everybody, dry runs excepted;
    resources that are `unreadable` (by their plural names) it refuses altogether.
    """

    def __init__(
        self,
        store: ObjectStore,
        logs: Logs,
        now: Callable[[], datetime],
        *,
        chance: Chance | None = None,
        prepare: Callable[[], None] = _nothing_to_do,
        read_only: bool = False,
        unreadable: frozenset[str] = frozenset(),
    ) -> None:
        self._store, self._now, self._prepare, self._read_only = store, now, prepare, read_only
        self._unreadable = unreadable
        chance = chance or Chance(0)
        self._users = Users(store, chance, now)
        self._authorizer = Authorizer(store)
        self._reviews = Reviews(self._users, self._authorizer)
        self.metrics: ResourceMetrics | None = None
        """What metrics-server knows; None where there is none."""
        self.ports: Ports | None = None
        """Who answers at pods' ports; None where nothing runs."""
        self._reader = Reader(store)
        self._writer = Writer(store, chance, now)
        self._deleter = Deleter(store, now)
        self._subresources = Subresources(store, self._writer, self._deleter, logs, now)
        self._answers: Mapping[tuple[str, bool], Answer] = {
            ("get", True): self._get,
            ("list", False): self._list,
            ("watch", False): self._watch,
            ("create", False): self._write(self._writer.create),
            ("update", True): self._write(self._writer.update),
            ("patch", True): self._write(self._writer.patch),
            ("delete", True): self._deleted,
            ("deletecollection", False): self._delete_all,
        }

    def prepare_lists(self) -> None:
        """Write what the first long list would have to write."""
        self._reader.prepare()

    async def handle(self, request: ApiRequest) -> ApiAnswer:
        """Answer one request."""
        self._prepare()
        return self.answer(request)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        """Answer one request, at the time that the store stands at."""
        try:
            user = self._users.caller(request.headers)
            about_itself = discover(request)
            return about_itself or self._routed(request, user)
        except ApiError as exc:
            if exc.text:
                return ApiAnswer.plain(exc.text, exc.code)
            return ApiAnswer.of(exc.status, exc.code)

    def forward(self, request: ApiRequest) -> Dial | None:
        """Return who answers at a pod's ports, for a request that is to be upgraded to that.

        None for a request for something else; raise ApiError where it is refused.
        """
        self._prepare()
        user = self._users.caller(request.headers)
        if discover(request) is not None:
            return None
        target = target_of(request.path)
        if target.sub != "portforward" or self.ports is None:
            return None
        self._authorize(request, user, target, verb_of(request, target))
        with said_by_store(target.resource, target.name):
            pod = self._store.get("pods", target.namespace, target.name)
        if (pod.get("status") or {}).get("phase") != "Running":
            raise says.bad_request(f"pod {target.name} does not have a running host")
        return functools.partial(self.ports.dial, pod)

    def _routed(self, request: ApiRequest, user: User) -> ApiAnswer:
        target = target_of(request.path)
        verb = verb_of(request, target)
        self._authorize(request, user, target, verb)
        if target.resource.group in _REVIEWS:
            if verb != "create":
                raise says.method_not_allowed()
            asked = request.optional()
            return ApiAnswer.of(
                self._reviews.answer(target.resource, asked, user, self._now()), 201
            )
        if target.resource.group == metrics_api.GROUP:
            return metrics_api.answer(self.metrics, request, target, self._now())
        if target.sub and target.sub != "status":
            return self._below(request, target, verb)
        answer = self._answers.get((verb, bool(target.name)))
        nowhere = target.resource.namespaced and not target.namespace
        if answer is None or (verb == "create" and nowhere):
            raise says.method_not_allowed()
        return answer(request, target)

    def _get(self, request: ApiRequest, target: Target) -> ApiAnswer:
        return self._reader.get(request, target, self._now())

    def _list(self, request: ApiRequest, target: Target) -> ApiAnswer:
        return self._reader.select(request, target, self._now())

    def _authorize(self, request: ApiRequest, user: User, target: Target, verb: str) -> None:
        resource = target.resource
        name = f"{resource.plural}/{target.sub}" if target.sub else resource.plural
        wish = Wish(
            verb=verb,
            group=resource.group,
            resource=name,
            namespace=target.namespace,
            name=target.name,
        )
        writes = verb not in READ_VERBS and resource.group not in _REVIEWS
        frozen = self._read_only and writes and not request.is_dry_run
        hidden = resource.plural in self._unreadable
        if frozen or hidden or not self._authorizer.may(user, wish):
            raise says.forbidden(user.name, wish, resource)

    def _below(self, request: ApiRequest, target: Target, verb: str) -> ApiAnswer:
        if target.sub == "scale" and verb in {"get", "patch", "update"}:
            return self._subresources.scale(request, target)
        if target.sub == "eviction" and verb == "create":
            return ApiAnswer.of(self._subresources.evict(request, target), 201)
        if target.sub == "token" and verb == "create":
            return ApiAnswer.of(self._token(request, target), 201)
        if target.sub == "resize" and verb in {"get", "patch", "update"}:
            if verb == "get":
                return self._reader.get(request, target, self._now())
            return self._write(self._writer.update if verb == "update" else self._writer.patch)(
                request, target
            )
        if target.sub == "log" and verb == "get":
            return self._subresources.log(request, target)
        if target.sub in {"attach", "exec"} and verb in {"create", "get"}:
            raise says.nothing_runs_inside(target.sub)
        if target.sub == "portforward" and verb in {"create", "get"}:
            raise says.no_upgrade()
        raise says.method_not_allowed()

    def _token(self, request: ApiRequest, target: Target) -> Json:
        """Return a TokenRequest with a token, good for an hour unless another time is asked for."""
        account = self._store.find("serviceaccounts", target.namespace, target.name)
        if account is None:
            raise says.not_found(target.resource, target.name)
        spec = request.optional().get("spec") or {}
        seconds = spec.get("expirationSeconds") or _TOKEN_SECONDS
        if not isinstance(seconds, int) or not _SHORTEST_TOKEN <= seconds <= _LONGEST_TOKEN:
            cause = Cause(
                "spec.expirationSeconds",
                f"Invalid value: {seconds}: may not specify a duration less than 10 minutes",
            )
            raise says.invalid_kind("TokenRequest", "authentication.k8s.io", "", [cause])
        until = self._now() + timedelta(seconds=seconds)
        status = {
            "token": self._users.token_for(account, until),
            "expirationTimestamp": stamp(until),
        }
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": target.name, "namespace": target.namespace},
            "spec": {"expirationSeconds": seconds, **spec},
            "status": status,
        }

    def _watch(self, request: ApiRequest, target: Target) -> ApiAnswer:
        view = View.of(request)

        def show(found: Json) -> Json:
            return view.one(target.resource, found, self._now())

        what = watched(request, target.resource, matcher(request, target), show)
        headers = {"content-type": JSON_TYPE, "cache-control": "no-cache, private"}
        return ApiAnswer(headers=headers, body=stream(self._store, what, self._prepare))

    def _write(self, write: Callable[[ApiRequest, Target], Written]) -> Answer:
        def answer(request: ApiRequest, target: Target) -> ApiAnswer:
            written = write(request, target)
            found = View.of(request).one(target.resource, written.found, self._now())
            return ApiAnswer.of(found, 201 if written.created else 200, warnings=written.warnings)

        return answer

    def _deleted(self, request: ApiRequest, target: Target) -> ApiAnswer:
        answer = self._deleter.delete(request, target, request.optional())
        return ApiAnswer.of(
            answer if answer.get("kind") == "Status" else shown(target.resource, answer)
        )

    def _delete_all(self, request: ApiRequest, target: Target) -> ApiAnswer:
        matches = matcher(request, target)
        found = [one for one in self._store.objects(target.resource.plural) if matches(one)]
        options = request.optional()
        for one in found:
            each = Target(
                resource=target.resource,
                namespace=one["metadata"].get("namespace") or "",
                name=one["metadata"]["name"],
            )
            self._deleter.delete(request, each, options)
        metadata = {"resourceVersion": str(self._store.version)}
        return ApiAnswer.of(View().many(target.resource, found, metadata, self._now()))
