"""Text for Slack: masked, escaped, within its limits. What comes from a cluster is data only.

Slack obeys what stands in `<…>` (mentions, links, dates); with `&`, `<` and `>` escaped and
`verbatim` set nothing of a name or a log line is obeyed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from petops.errors import UsageError

Json = dict[str, Any]

SECTION: Final = 3000
HEADER: Final = 150
FIELD: Final = 2000
BUTTON: Final = 75
VALUE: Final = 2000
CONFIRM_TITLE: Final = 100
CONFIRM_TEXT: Final = 300
CONFIRM_BUTTON: Final = 30
MODAL_TITLE: Final = 24
OPTION: Final = 75
MESSAGE_TEXT: Final = 3000
MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100

_ENTITY_CUT: Final = re.compile(r"&[a-z]{0,3}$")
_CALLS: Final = re.compile(r"@(?=(here|channel|everyone)\b)", re.IGNORECASE)
_WORD_JOINER: Final = "\u2060"
_NO_TICK: Final = "\u02cb"


@dataclass(frozen=True, slots=True)
class Mask:
    """What must not leave the cluster, and what stands in its place."""

    pattern: re.Pattern[str]
    replacement: str


SECRETS: Final = (
    Mask(re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "(an AWS key)"),
    Mask(re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}"), "(a Slack token)"),
    Mask(re.compile(r"\bxapp-[A-Za-z0-9-]{8,}"), "(a Slack token)"),
    Mask(re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"), "(a GitHub token)"),
    Mask(
        re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
        "(a signed token)",
    ),
    Mask(re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}"), r"\1 (hidden)"),
    Mask(
        re.compile(
            r"(?i)\b([\w-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key))"
            r"(\"?\s*[=:]\s*\"?)[^\s\",;&]{4,}"
        ),
        r"\1\2(hidden)",
    ),
    Mask(re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/:@]+:[^\s/@]+@"), r"\1(hidden)@"),
    Mask(re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END[^-]*-----)?"), "(a key)"),
)
"""Credentials that are known by their form: they never leave, whatever is set."""


def masks(tables: Iterable[Mapping[str, Any]]) -> tuple[Mask, ...]:
    """Return the `[[mask]]` rules after those for secrets; raise UsageError for nonsense."""
    found = list(SECRETS)
    for table in tables:
        try:
            pattern = re.compile(table["pattern"])
            replacement = str(table.get("replacement", "(hidden)"))
            pattern.sub(replacement, "")  # a group that is not there shows here
        except (KeyError, TypeError, re.error) as exc:
            what = "pattern is missing" if isinstance(exc, KeyError) else str(exc)
            raise UsageError(
                f"a [[mask]] rule in the settings makes no sense: {what}",
                hint="for example: pattern = 'customer-[0-9]+', replacement = 'customer-…'",
            ) from exc
        found.append(Mask(pattern, replacement))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes text that may leave: masked, escaped, cut to what Slack takes."""

    masks: tuple[Mask, ...] = SECRETS

    def masked(self, text: str) -> str:
        """Return text without what must not leave."""
        for one in self.masks:
            text = one.pattern.sub(one.replacement, text)
        return text

    def said(self, text: str, most: int = 600) -> str:
        """Return text for mrkdwn that Slack does not obey."""
        return cut(escaped(shown(self.masked(text))), most)

    def code(self, text: str, most: int = 300) -> str:
        """Return text as code in a line."""
        safe = " ".join(shown(self.masked(text)).replace("`", _NO_TICK).split())
        return f"`{cut(escaped(safe), most)}`" if safe else ""

    def fence(self, lines: Iterable[str], most: int) -> str:
        """Return lines as a block of code, as many as there is room for."""
        kept: list[str] = []
        room = most - 20
        whole = [escaped(shown(self.masked(one)).replace("`", _NO_TICK)) for one in lines]
        for index, one in enumerate(whole):
            line = cut(one.replace("\n", " "), 200)
            room -= units(line) + 1
            if room < 0:
                kept.append(f"… {len(whole) - index} more lines")
                break
            kept.append(line)
        return "```\n" + "\n".join(kept) + "\n```" if kept else ""

    def plain(self, text: str, most: int) -> str:
        """Return text for a plain_text object, where Slack obeys nothing but emoji codes."""
        return cut(" ".join(shown(self.masked(text)).split()), most) or "-"


def escaped(text: str) -> str:
    """Return text in which Slack sees no mention, no link and no date."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub("@" + _WORD_JOINER, safe)


def shown(text: str) -> str:
    """Return text with what cannot be seen written out; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if _is_plain(one) else _written_out(one) for one in text)


def _is_plain(one: str) -> bool:
    return one in "\n\t" or (one.isprintable() and unicodedata.category(one) != "Cf")


def _written_out(one: str) -> str:
    return one.encode("unicode_escape", "surrogatepass").decode("ascii")


def units(text: str) -> int:
    """Return a text's length as the strictest count has it: in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """Return text of at most `most` units; no escape is cut in its middle."""
    if units(text) <= most:
        return text
    kept = text[: most - 1]
    while units(kept) > most - 1:
        kept = kept[:-1]
    return _ENTITY_CUT.sub("", kept).rstrip() + "…"


def date(at: datetime, form: str = "{time_secs}") -> str:
    """Return a time as each reader's own clock shows it; the fallback is in UTC."""
    return f"<!date^{int(at.timestamp())}^{form}|{at:%Y-%m-%d %H:%M:%S}Z>"


def mrkdwn(text: str, most: int = SECTION) -> Json:
    """Return a text object; what is given is written already."""
    return {"type": "mrkdwn", "text": cut(text, most) or "-", "verbatim": True}


def plain(text: str) -> Json:
    """Return a plain text object."""
    return {"type": "plain_text", "text": text, "emoji": False}


def section(text: str) -> Json:
    """Return a section block."""
    return {"type": "section", "text": mrkdwn(text)}


def context(*texts: str) -> Json:
    """Return a context block; it holds ten elements."""
    return {"type": "context", "elements": [mrkdwn(one, FIELD) for one in texts if one][:10]}


def header(text: str) -> Json:
    """Return a header block."""
    return {"type": "header", "text": plain(cut(text, HEADER))}
