"""Who may do what over the API: tokens of every kind, roles, limits, and bodies of any kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, get_args

import httpx2
import pytest

from petops import wire
from petops.daemon import openapi
from petops.daemon.identity import AnyOf, Caller, Reviewed, Tokens, hashed
from petops.daemon.limits import Limits
from petops.daemon.server import serve_http, server
from petops.domain.access import AccessRule, AccessToken, Role, role_for
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.policy import Identity
from petops.domain.requests import (
    Acknowledge,
    AnyRequest,
    ApproveRemedy,
    BreakGlass,
    RejectRemedy,
    ReportAlarm,
    StopAct,
)
from petops.errors import RefusedError, SourceError
from petops.programs.surfaces import webhook
from petops.remote import connected
from tests.surfaces.small_engine import SmallEngine, alarm

pytestmark = pytest.mark.slow

KUBE = "a.b.c-of-kubernetes"
JSON = {"Content-Type": "application/json"}
TOKENS = {
    Role.VIEWER: "t-viewer",
    Role.RESPONDER: "t-responder",
    Role.APPROVER: "t-approver",
}
FURTHER = [
    AccessToken(sha256=hashed(token), user=f"the-{role}", roles=(role,))
    for role, token in TOKENS.items()
]
ACK = wire.request_to_json(Acknowledge(id="a", incident="INC-0001"))
APPROVE = wire.request_to_json(ApproveRemedy(id="b", incident="INC-0001", digest="sha256:1"))
DECISIONS: dict[str, AnyRequest] = {
    "approve": ApproveRemedy(id="b", incident="INC-0001", digest="sha256:1"),
    "reject": RejectRemedy(id="c", incident="INC-0001", digest="sha256:1", because="no"),
    "break-glass": BreakGlass(id="d", incident="INC-0001", digest="sha256:1", because="now"),
    "stop": StopAct(id="e", incident="INC-0001", because="enough"),
}
EVENT: dict[str, Any] = {
    "id": "1",
    "source": "aws.cloudwatch",
    "detail-type": "CloudWatch Alarm State Change",
    "time": "2026-11-23T06:00:00Z",
    "detail": {"alarmName": "x", "state": {"value": "ALARM"}, "configuration": {}},
}


def parse(body: bytes) -> Any:
    return webhook(body, AlarmMapping())


class Reviews:
    """Kubernetes' word on tokens, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.known = {KUBE: Identity(user="ana", channel="kubernetes", groups=("sre",))}
        self.fails = False

    async def __call__(self, token: str) -> Identity | None:
        self.asked += 1
        if self.fails:
            raise SourceError("Kubernetes does not answer")
        return self.known.get(token)


@pytest.fixture
def reviews() -> Reviews:
    return Reviews()


@pytest.fixture
async def base(reviews: Reviews) -> AsyncIterator[str]:
    engine = SmallEngine()
    await engine.submit(ReportAlarm(id="r", alarm=alarm()), Identity(user="x", channel="x"))
    rules = (
        AccessRule(roles=(Role.RESPONDER,), groups=("sre",)),
        AccessRule(roles=(Role.VIEWER,), groups=("readers",)),
    )
    who = AnyOf(Tokens({}, FURTHER), Reviewed(reviews, rules))
    limits = Limits(requests_a_minute=60_000, streams_each=2)
    app = server(engine, who, {"eventbridge": parse}, limits=limits)
    async with serve_http(app, "127.0.0.1", 0) as url:
        yield url


async def ask(base: str, token: str, path: str, body: bytes | None = None) -> httpx2.Response:
    head = {"Authorization": f"Bearer {token}", **JSON}
    async with httpx2.AsyncClient(base_url=base, trust_env=False) as client:
        return await client.request(
            "GET" if body is None else "POST", path, content=body, headers=head
        )


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        (Role.VIEWER, (200, 403, 403, 403)),
        (Role.RESPONDER, (200, 202, 202, 403)),
        (Role.APPROVER, (200, 202, 202, 409)),
    ],
)
async def test_each_role_has_what_the_one_before_has(
    base: str, role: Role, statuses: tuple[int, ...]
) -> None:
    token = TOKENS[role]
    answers = [
        await ask(base, token, "/api/v1/incidents"),
        await ask(base, token, "/api/v1/alarms/eventbridge", json.dumps(EVENT).encode()),
        await ask(base, token, "/api/v1/requests", ACK),
        await ask(base, token, "/api/v1/requests", APPROVE),
    ]
    assert tuple(one.status_code for one in answers) == statuses
    for one in answers:
        if one.status_code == 403:
            assert "has no role" in one.json()["error"]


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize(
    ("groups", "token"),
    [
        (("guests",), TOKENS[Role.VIEWER]),
        (("guests",), TOKENS[Role.RESPONDER]),
        (("readers",), KUBE),
        (("sre",), KUBE),
    ],
    ids=["viewer", "responder", "kubernetes-viewer", "kubernetes-responder"],
)
async def test_only_an_approver_decides(
    base: str, reviews: Reviews, groups: tuple[str, ...], token: str, decision: str
) -> None:
    """By whichever kind of token: what is turned away is not even journaled."""
    reviews.known[KUBE] = Identity(user="ana", channel="kubernetes", groups=groups)
    before = (await ask(base, token, "/api/v1/board")).json()["seq"]
    answer = await ask(base, token, "/api/v1/requests", wire.request_to_json(DECISIONS[decision]))
    assert answer.status_code == 403
    assert answer.json()["error"].endswith("has no role approver here")
    assert (await ask(base, token, "/api/v1/board")).json()["seq"] == before
    decided = await ask(
        base,
        TOKENS[Role.APPROVER],
        "/api/v1/requests",
        wire.request_to_json(DECISIONS[decision]),
    )
    assert decided.status_code in {202, 409}


async def test_a_command_without_the_role_is_refused_with_its_own_status(base: str) -> None:
    async with connected(base, TOKENS[Role.VIEWER]) as remote:
        with pytest.raises(RefusedError, match="has no role responder") as raised:
            await remote.submit(Acknowledge(id="a", incident="INC-0001"))
        assert raised.value.exit_code == 4


async def test_a_token_of_kubernetes_has_its_groups_roles_and_is_asked_about_once(
    base: str, reviews: Reviews
) -> None:
    answer = await ask(base, KUBE, "/api/v1/requests", ACK)
    assert answer.status_code == 202
    by = answer.json()["event"]["by"]
    assert by == {"user": "ana", "channel": "kubernetes", "groups": ["sre"]}
    assert (await ask(base, KUBE, "/api/v1/requests", APPROVE)).status_code == 403
    assert reviews.asked == 1


async def test_forged_and_foreign_tokens_get_nowhere(base: str, reviews: Reviews) -> None:
    for token in ("x.y.z-of-kubernetes", "nothing", "a.b", "é" * 20):
        head = {b"Authorization": f"Bearer {token}".encode()}
        async with httpx2.AsyncClient(base_url=base, trust_env=False) as client:
            for path in ("/api/v1/board", "/api/v1/doctor", "/api/v1/openapi.json"):
                answer = await client.get(path, headers=head)
                assert answer.status_code == 401
    assert reviews.asked == 1


async def test_somebody_without_a_role_may_nothing(base: str, reviews: Reviews) -> None:
    reviews.known["d.e.f-of-kubernetes"] = Identity(
        user="eve", channel="kubernetes", groups=("guests",)
    )
    answer = await ask(base, "d.e.f-of-kubernetes", "/api/v1/incidents")
    assert (answer.status_code, answer.json()["error"]) == (403, "eve has no role here")


async def test_kubernetes_being_away_is_said_and_lets_nobody_in(
    base: str, reviews: Reviews
) -> None:
    reviews.fails = True
    answer = await ask(base, KUBE, "/api/v1/incidents")
    assert answer.status_code == 503
    assert (await ask(base, TOKENS[Role.VIEWER], "/api/v1/incidents")).status_code == 200


async def test_what_was_said_of_a_token_is_bounded_in_time_and_number(reviews: Reviews) -> None:
    rules = (AccessRule(roles=(Role.VIEWER,), users=("*",)),)
    who = Reviewed(reviews, rules, known_seconds=0.01, at_most=2)
    assert isinstance(await who("Bearer a.b.c-of-kubernetes"), Caller)
    await asyncio.sleep(0.02)
    reviews.known.clear()  # it has expired there
    assert await who("Bearer a.b.c-of-kubernetes") is None
    for number in range(10):
        await who(f"Bearer {number}.x.y-of-kubernetes")
    assert len(who._said) == 2


async def test_a_client_that_asks_too_much_is_told_to_wait() -> None:
    at = [0.0]
    limits = Limits(requests_a_minute=60, now=lambda: at[0])
    assert [limits.wait("ana") for _ in range(60)] == [0.0] * 60
    assert limits.wait("ana") == pytest.approx(1.0)
    assert limits.wait("bob") == 0.0
    at[0] = 1.1
    assert limits.wait("ana") == 0.0


async def test_streams_of_one_client_are_counted_and_let_go(base: str) -> None:
    head = {"Authorization": f"Bearer {TOKENS[Role.VIEWER]}"}
    async with httpx2.AsyncClient(base_url=base, headers=head, trust_env=False) as client:
        async with (
            client.stream("GET", "/api/v1/entries") as one,
            client.stream("GET", "/api/v1/entries") as two,
        ):
            assert (one.status_code, two.status_code) == (200, 200)
            third = await client.get("/api/v1/entries")
            assert third.status_code == 429
            assert third.headers["retry-after"]
        async with asyncio.timeout(5):
            while True:
                async with client.stream("GET", "/api/v1/entries") as again:
                    if again.status_code == 200:
                        break
                await asyncio.sleep(0.02)


def test_every_request_needs_a_role_and_is_described() -> None:
    described = openapi.document()["components"]["schemas"]
    for kind in get_args(AnyRequest):
        sample = object.__new__(kind)
        assert role_for(sample) in {Role.RESPONDER, Role.APPROVER}
    names = {one["$ref"].rpartition("/")[2] for one in described["Request"]["oneOf"]}
    assert {"ApproveRemedy", "SplitOff", "ReportAlarm"} <= names
    assert described["Snooze"]["properties"]["until"] == {"type": "string", "format": "date-time"}
