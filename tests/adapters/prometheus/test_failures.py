"""Each way in which an answer can be wrong is told in one sentence."""

from __future__ import annotations

import json

import pytest

from petops.errors import ForbiddenError, SourceError, UsageError
from petops.mcp_server.client import PrometheusAccess
from petops.mcp_server.exchange import Reply
from petops.mcp_server.failures import answered

WHERE = "http://prometheus:9090"
PARSER = 'invalid parameter "query": 1:3: parse error: unexpected end of input'


def reply(
    body: str,
    status: int = 200,
    reason: str = "OK",
    kind: str = "application/json",
    location: str = "",
) -> Reply:
    return Reply(
        status=status, reason=reason, content_type=kind, location=location, body=body.encode()
    )


def failure(error_type: str, words: str) -> str:
    return json.dumps({"status": "error", "errorType": error_type, "error": words})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (reply(failure("bad_data", PARSER), 400), f"Prometheus refused the query: {PARSER}"),
        (
            reply(failure("timeout", "query timed out in expression evaluation"), 503),
            "Prometheus could not answer: query timed out in expression evaluation",
        ),
        (
            reply("<!DOCTYPE html><title>Log in</title>", kind="text/html"),
            f"{WHERE} answered 200 OK with a web page, not with Prometheus' JSON",
        ),
        (
            reply("<html>502</html>", 502, "Bad Gateway", "text/html"),
            f"{WHERE} answered 502 Bad Gateway with a web page, not with Prometheus' JSON",
        ),
        (
            reply("", 302, "Found", location="/graph"),
            f"{WHERE} redirects to /graph instead of answering",
        ),
        (
            reply('{"status": "success", "data": {"resu'),
            f"{WHERE} answered with something that is not Prometheus' JSON, or not all of it",
        ),
        (reply('{"ok": true}'), f"what {WHERE} answered is JSON, but not of Prometheus' API"),
        (
            reply("404 page not found", 404, "Not Found", "text/plain"),
            f"{WHERE} answered 404 Not Found: there is no Prometheus API there",
        ),
        (
            reply("upstream down\nmore", 503, "Service Unavailable", "text/plain"),
            f"{WHERE} answered 503 Service Unavailable: upstream down",
        ),
    ],
)
def test_a_bad_answer_is_one_sentence(given: Reply, sentence: str) -> None:
    with pytest.raises(SourceError) as caught:
        answered(given, WHERE)
    assert caught.value.message == sentence


@pytest.mark.parametrize("body", ["no", failure("unauthorized", "no")])
def test_not_being_let_in_is_told_apart(body: str) -> None:
    with pytest.raises(ForbiddenError, match="does not let petops ask"):
        answered(reply(body, 403, "Forbidden", "text/plain"), WHERE)


def test_numbers_that_json_does_not_know_stay_strings() -> None:
    data = {"resultType": "scalar", "result": [1, "NaN"]}
    body = json.dumps({"status": "success", "data": data, "warnings": ["half of it"]})
    good = answered(reply(body), WHERE)
    assert good.data["result"][1] == "NaN"
    assert good.warnings == ("half of it",)


@pytest.mark.parametrize("url", ["", "prometheus:9090", "ftp://prometheus", "http://"])
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        PrometheusAccess(url=url)


def test_secrets_stay_out_of_address_and_repr() -> None:
    access = PrometheusAccess(
        url="http://me:secret@prometheus:9090/",
        token="secret",  # noqa: S106
        headers={"X-Key": "secret"},
    )
    assert access.where == WHERE
    assert "secret" not in repr(access)
