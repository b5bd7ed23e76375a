"""Answers questions on the command line, through petops' MCP server in this process.

The server is used here as by any other client: what is seen in the terminal is what they get. It
costs 0.2 ms a call; the imports would be needed anyway.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from petops.errors import PetopsError, UsageError
from petops.metrics_access import question_server
from petops.programs.attach import settings_here
from petops.programs.printing import note
from petops.secrets_access import with_secrets
from petops.sources.mcp_caller import McpCaller

ANSWER_SECONDS: Final = 15.0
_SUGGEST_SECONDS: Final = 10.0
_KEYS: Final = ("promql", "kind", "start", "end", "step", "error", "insights")
_FAILED: Final = 1


async def asked(
    config: Path | None,
    question: str | None,
    *,
    as_json: bool,
    time: str | None,
    prometheus_url: str | None,
    batch: bool,
) -> int:
    """Answer one question, a batch of them, or one after another; return the exit status."""
    if not batch and question is None and (as_json or not sys.stdin.isatty()):
        raise UsageError("there is no question", hint='for example: petops ask "top 5 pods by cpu"')
    try:
        async with _server(config, prometheus_url) as server:
            if batch:
                return await _batch(server, time)
            if question is None:
                from petops.programs.asking_prompt import prompted  # noqa: PLC0415 - needs readline

                at = {"time": time} if time else {}
                suggested = await server.call("suggest_queries", at, _SUGGEST_SECONDS)
                return await prompted(suggested, lambda line: ask(server, line, time))
            answer = await ask(server, question, time)
    except PetopsError as exc:
        if not as_json:
            raise
        print_answer(unanswered(question or "", exc.message))
        return exc.exit_code
    if as_json:
        print_answer(answer)
    else:
        from petops.programs.asking_shown import show  # noqa: PLC0415 - brings rich and plotext

        show(answer)
    return _FAILED if answer["error"] else 0


async def ask(server: McpCaller, question: str, time: str | None) -> Mapping[str, Any]:
    """Return the server's answer; raise SourceError if it cannot be had."""
    arguments = {"question": question, **({"time": time} if time else {})}
    return await server.call("ask", arguments, ANSWER_SECONDS)


def unanswered(question: str, why: str) -> Mapping[str, Any]:
    """Return the answer that says why there is none."""
    return {
        "question": question,
        "promql": None,
        "kind": None,
        "start": None,
        "end": None,
        "step": None,
        "error": why,
        "insights": [],
        "reading": "",
        "result": [],
        "nearest": [],
    }


def print_answer(answer: Mapping[str, Any], **more: Any) -> None:
    """Print an answer as one line of JSON."""
    ordered = {key: answer.get(key) for key in _KEYS}
    sys.stdout.write(json.dumps({**more, **ordered, **answer}, ensure_ascii=True) + "\n")
    sys.stdout.flush()


async def _batch(server: McpCaller, time: str | None) -> int:
    """Answer each line of standard input; the status is 0 where all were answered or refused."""
    for line in sys.stdin:
        if not line.strip():
            continue
        given = _given(line)
        question = str(given.get("question", ""))
        try:
            answer = await ask(server, question, time)
        except PetopsError as exc:
            answer = unanswered(question, exc.message)
        print_answer(answer, id=given.get("id"))
    return 0


def _given(line: str) -> Mapping[str, Any]:
    try:
        given = json.loads(line)
    except ValueError:
        note(f"not JSON, and left out: {line[:60]!r}")
        return {}
    return given if isinstance(given, dict) else {"question": str(given)}


@asynccontextmanager
async def _server(config: Path | None, prometheus_url: str | None) -> AsyncIterator[McpCaller]:
    """Open the server to ask: an address that is given stands for petops' own server on it."""
    settings = settings_here(config).settings
    if prometheus_url:
        alone = replace(settings.prometheus, url=prometheus_url, mcp_url="", mcp_command="")
        settings = replace(settings, prometheus=alone)
    settings = await with_secrets(settings, note)
    async with question_server(settings) as server:
        yield server
