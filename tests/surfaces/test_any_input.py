"""Any body, path, token and content type: an answer that the document names, never a mistake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route

from petops.daemon import openapi
from petops.daemon.identity import Tokens, hashed
from petops.daemon.server import server
from petops.domain.access import AccessToken, Role
from petops.domain.alarm_mapping import AlarmMapping
from petops.domain.policy import Identity
from petops.domain.requests import ReportAlarm
from petops.programs.surfaces import webhook
from tests.surfaces.small_engine import SmallEngine, alarm

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}
EVENT: dict[str, Any] = {
    "id": "1",
    "source": "aws.cloudwatch",
    "detail-type": "CloudWatch Alarm State Change",
    "time": "2026-11-23T06:00:00Z",
    "detail": {"alarmName": "x", "state": {"value": "ALARM"}, "configuration": {}},
}
TOKENS = ("", "forged", *(f"of-a-{role}" for role in Role))


def parse(body: bytes) -> Any:
    return webhook(body, AlarmMapping())


PLAIN: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}


def drawn(  # noqa: C901, PLR0911, PLR0912 (one flat table of cases)
    schema: dict[str, Any], schemas: dict[str, Any]
) -> st.SearchStrategy[Any]:
    """Whatever fits a schema of the document."""
    if "$ref" in schema:
        return drawn(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return st.one_of([drawn(one, schemas) for one in schema[key]])
    match schema.get("type"):
        case "object":
            needed = set(schema.get("required", ()))
            parts = {key: drawn(one, schemas) for key, one in schema.get("properties", {}).items()}
            return st.fixed_dictionaries(
                {key: one for key, one in parts.items() if key in needed},
                optional={key: one for key, one in parts.items() if key not in needed},
            )
        case "array" if "items" in schema:
            return st.lists(drawn(schema["items"], schemas), max_size=3)
        case "array":
            return st.tuples(*[drawn(one, schemas) for one in schema["prefixItems"]]).map(list)
        case "string" if schema.get("format") == "date-time":
            return st.datetimes().map(lambda at: at.isoformat() + "Z")
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=30)
        case "integer":
            return st.integers()
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case _:
            return st.none()


SCHEMAS = openapi.document()["components"]["schemas"]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=10) | st.sampled_from(list(EVENT)), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=100, **PLAIN)
@given(body=drawn(SCHEMAS["Request"], SCHEMAS) | JUNK)
def test_no_request_of_any_kind_is_a_mistake_of_ours(body: Any) -> None:
    """What the document allows and what it does not: an entry, or one sentence, never a 500."""
    answers = _answered("/api/v1/requests", [json.dumps(body).encode()])
    _judged(answers)


WEBHOOKS = JUNK | st.builds(lambda part: {**EVENT, "detail": part}, JUNK)


@settings(max_examples=20, **PLAIN)
@given(bodies=st.lists(WEBHOOKS, min_size=5, max_size=20))
def test_no_webhook_of_any_kind_is_a_mistake_of_ours(bodies: list[Any]) -> None:
    sent = [json.dumps(one, allow_nan=True).encode() for one in bodies]
    _judged(_answered("/api/v1/alarms/eventbridge", sent))


@pytest.mark.soak
@settings(max_examples=1000, **PLAIN)
@given(bodies=st.lists(WEBHOOKS, min_size=10, max_size=10))
def test_ten_thousand_webhooks_are_no_mistake_of_ours(bodies: list[Any]) -> None:
    sent = [json.dumps(one, allow_nan=True).encode() for one in bodies]
    _judged(_answered("/api/v1/alarms/eventbridge", sent))


def _judged(answers: list[httpx2.Response]) -> None:
    for answer in answers:
        assert answer.status_code in {202, 409, 400}, answer.text
        if answer.status_code == 400:
            assert "\n" not in answer.json()["error"]


def _answered(path: str, bodies: list[bytes]) -> list[httpx2.Response]:
    head = {"Authorization": f"Bearer {TOKENS[-1]}", **JSON}
    return sent(
        [httpx2.Request("POST", f"http://x{path}", content=one, headers=head) for one in bodies]
    )


def served(engine: SmallEngine) -> Starlette:
    further = [
        AccessToken(sha256=hashed(f"of-a-{role}"), user=role, roles=(role,)) for role in Role
    ]
    return server(engine, Tokens({}, further), {"eventbridge": parse, "alertmanager": parse})


def sent(requests: list[httpx2.Request]) -> list[httpx2.Response]:
    """Send them to an engine with one incident, one after the other."""

    async def asked() -> list[httpx2.Response]:
        engine = SmallEngine()
        await engine.submit(ReportAlarm(id="r", alarm=alarm()), Identity(user="x", channel="x"))
        transport = httpx2.ASGITransport(served(engine))
        async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
            return [await client.send(one) for one in requests]

    with asyncio.Runner() as runner:
        return runner.run(asked())


# --- every operation of the document


DOCUMENT = openapi.document()
STREAM = "/api/v1/entries"  # without an end: test_server.py has it
OPERATIONS = [
    (path, method, one)
    for path, methods in DOCUMENT["paths"].items()
    for method, one in methods.items()
    if path != STREAM
]
BODIES = (drawn(SCHEMAS["Request"], SCHEMAS) | WEBHOOKS).map(
    lambda one: json.dumps(one, allow_nan=True).encode()
) | st.binary(max_size=40)
TYPES = ("application/json", "application/json; charset=utf-8", "text/plain", "a/b/c", "")


@st.composite
def asked(draw: Any) -> tuple[httpx2.Request, dict[str, Any]]:
    """An operation, called as the document says and otherwise."""
    path, method, operation = draw(st.sampled_from(OPERATIONS))
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            names = st.text(min_size=1, max_size=12).filter(lambda name: set(name) - set("./\\"))
            known = st.sampled_from(one["schema"].get("enum", ["INC-0001"]))
            path = path.replace(f"{{{one['name']}}}", quote(draw(names | known), safe=""))
    head = {"Authorization": f"Bearer {draw(st.sampled_from(TOKENS))}"}
    body = b""
    if "requestBody" in operation:
        head["Content-Type"] = draw(st.sampled_from(TYPES))
        body = draw(BODIES)
    return httpx2.Request(method.upper(), f"http://x{path}", content=body, headers=head), operation


@settings(max_examples=40, **PLAIN)
@given(calls=st.lists(asked(), min_size=1, max_size=8))
def test_every_answer_is_one_that_the_document_names(
    calls: list[tuple[httpx2.Request, dict[str, Any]]],
) -> None:
    answers = sent([request for request, _ in calls])
    for (request, operation), answer in zip(calls, answers, strict=True):
        named = operation["responses"].get(str(answer.status_code))
        assert named is not None, (request.method, request.url.path, answer.status_code)
        for kind, content in named.get("content", {}).items():
            assert answer.headers["content-type"].startswith(kind)
            assert not list(misfits(answer.json(), content["schema"], "answer"))
        if answer.status_code >= 400:
            assert "\n" not in answer.json().get("error", "")


KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "null": type(None),
}


def misfits(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    """What a schema of the document says against a value: types, and what is required."""
    if "$ref" in schema:
        yield from misfits(value, SCHEMAS[schema["$ref"].rpartition("/")[2]], where)
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not isinstance(value, tuple(KINDS[one] for one in kinds)):
        yield f"{where} is no {kinds}"
        return
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where} has no {name}"
    for name, one in schema.get("properties", {}).items():
        if name in value:
            yield from misfits(value[name], one, f"{where}.{name}")


def test_what_does_not_fit_is_found() -> None:
    error = {"$ref": "#/components/schemas/Error"}
    assert list(misfits({"error": 3}, error, "it")) == [
        "it has no hint",
        "it.error is no ['string']",
    ]


def test_every_route_of_the_api_is_described() -> None:
    routes = [one for one in served(SmallEngine()).routes if isinstance(one, Route)]
    pages = {"/", "/incidents", "/incidents/{id}", "/login", "/health"}  # for people
    assert {one.path for one in routes} - pages == set(DOCUMENT["paths"])


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_other_methods_are_turned_away(method: str) -> None:
    head = {"Authorization": f"Bearer {TOKENS[-1]}"}
    paths = [
        path.replace("{id}", "INC-0001").replace("{source}", "eventbridge")
        for path, *_ in OPERATIONS
    ]
    for answer in sent([httpx2.Request(method, f"http://x{one}", headers=head) for one in paths]):
        assert answer.status_code == 405
        assert answer.json()["error"] == "Method Not Allowed"
