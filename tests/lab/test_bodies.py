"""Bodies that are nonsense, far too much, or YAML without a form in JSON: refused, never a 500."""

from __future__ import annotations

import pytest

from petops.lab.kubernetes_protobuf_kinds import KINDS
from petops.lab.kubernetes_request import ApiRequest
from tests.lab.hand_clock import Lab

pytestmark = pytest.mark.slow

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
BOMB = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x]"]
    + [
        f"{this}: &{this} [{', '.join([f'*{last}'] * 8)}]"
        for last, this in zip("abcdefg", "bcdefgh", strict=True)
    ]
    + ["metadata: {name: bomb}"]
)


def posted(body: bytes, kind: str) -> tuple[int, str, str]:
    headers = {"content-type": kind}
    request = ApiRequest(method="POST", path=CONFIG_MAPS, query={}, headers=headers, body=body)
    answer = Lab().api.answer(request).json()
    return answer.get("code", 201), answer.get("kind", ""), answer.get("message", "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("metadata: {name: &x [*x]}", "exceeded max depth"),
        ("a: &a [*a]", "exceeded max depth"),
        (BOMB, "excessive aliasing"),
        ("metadata: {name: x}\ndata: {a: !!binary YQ==}", "no JSON form"),
        ("metadata: {name: x}\ndata: {a: .nan}", "no JSON form"),
        ("{" * 3000, "recursion"),
    ],
)
def test_yaml_that_cannot_be_json_is_refused(body: str, said: str) -> None:
    code, kind, message = posted(body.encode(), "application/yaml")
    assert (code, kind) == (400, "Status")
    assert said in message


def test_a_date_is_a_text_as_in_json() -> None:
    body = b"metadata: {name: x}\ndata: {since: 2026-11-23, at: 2026-11-23T00:00:00Z}"
    assert posted(body, "application/yaml")[:2] == (201, "ConfigMap")


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_json_has_no_such_numbers(number: str) -> None:
    body = f'{{"metadata": {{"name": "x"}}, "data": {{"a": {number}}}}}'.encode()
    assert posted(body, "application/json")[0] == 400


def test_json_nested_without_end_is_refused() -> None:
    body = b'{"a":' * 900 + b"1" + b"}" * 900
    assert posted(body, "application/json")[0] == 400


def test_too_much_is_refused() -> None:
    body = b'{"metadata": {"name": "x"}, "data": {"a": "' + b"x" * 3 * 1024 * 1024 + b'"}}'
    assert posted(body, "application/json") == (
        413,
        "Status",
        "Request entity too large: limit is 3145728",
    )


def test_zeros_that_json_leaves_out_are_left_out_of_protobuf_too() -> None:
    forms = dict(KINDS["Deployment"][2][1].values())
    assert forms["replicas"] == "number"  # nobody may take a wish for none as no wish
    assert (forms["minReadySeconds"], forms["paused"]) == ("unless zero", "if so")
