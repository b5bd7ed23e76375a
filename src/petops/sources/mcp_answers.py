"""What an MCP server's answer to a tool call says, whichever server it is. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mcp_types import CallToolResult, TextContent

from petops.errors import SourceError

_MOST_CHARACTERS = 500


def normalised(name: str) -> str:
    """Return a tool's name without case and separators: ExecuteQuery is execute_query."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def tool_names(names: Iterable[str]) -> Mapping[str, str]:
    """Return the server's own name of each tool by its normalised one."""
    return {normalised(name): name for name in names}


def content(tool: str, result: CallToolResult) -> Mapping[str, Any]:
    """Return a tool's structured answer; raise SourceError in the server's words if it refused."""
    if result.is_error:
        raise SourceError(refusal(tool, _text(result)))
    answer = result.structured_content
    if answer is None:  # a server older than structured answers
        answer = _from_text(tool, _text(result))
    return unwrapped(answer)


def unwrapped(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take away the level that some servers put around an answer: {"result": {...}}."""
    inner = answer.get("result")
    return inner if len(answer) == 1 and isinstance(inner, Mapping) else answer


def refusal(tool: str, text: str) -> str:
    """Return why a tool refused, without the SDK's prefix; some servers give no reason."""
    words = re.sub(r"^(Error executing tool \S+?(: |$))+", "", " ".join(text.split()))
    if not words:
        return f"the Prometheus MCP server refused {tool} and gave no reason"
    return words[:_MOST_CHARACTERS]


def _text(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def _from_text(tool: str, text: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, Mapping):
        raise SourceError(f"the MCP server answered {tool} with something that is not JSON")
    return parsed
