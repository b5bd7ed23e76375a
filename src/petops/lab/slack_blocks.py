"""What Slack accepts as blocks and views, checked as Slack does, in Slack's words.

The limits are those that Slack publishes; `msg_blocks_too_long` is a limit that it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

Json = Mapping[str, Any]
Problem = tuple[str, str]
"""What is wrong, and the JSON pointer to it."""

MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100
WHOLE_MESSAGE: Final = 13_200
_TEXT: Final = 3000
_ID: Final = 255
_IN_MESSAGES: Final = frozenset({"section", "header", "context", "actions", "divider", "image"})
_IN_VIEWS: Final = _IN_MESSAGES | {"input"}
_STYLES: Final = frozenset({"primary", "danger"})


def problems(blocks: object, *, view: bool = False) -> tuple[Problem, ...]:
    """Return what is wrong with blocks; empty where Slack takes them."""
    return tuple(_blocks(blocks, view=view))


def words(found: Sequence[Problem]) -> dict[str, Any]:
    """Return what the Web API answers to blocks that are wrong."""
    told = [f"{what} [json-pointer:{where}]" for what, where in found]
    return {
        "code": "invalid_blocks",
        "errors": told,
        "response_metadata": {"messages": [f"[ERROR] {one}" for one in told]},
    }


def view_problems(view: object) -> tuple[Problem, ...]:
    """Return what is wrong with a modal or with App Home."""
    if not isinstance(view, Mapping):
        return (("must be an object", "/view"),)
    return tuple(_view(view))


def length(blocks: object) -> int:
    """Return how much text blocks hold in all."""
    if isinstance(blocks, Mapping):
        return sum(length(one) for one in blocks.values())
    if isinstance(blocks, list):
        return sum(length(one) for one in blocks)
    return len(blocks) if isinstance(blocks, str) else 0


def _view(view: Json) -> Iterator[Problem]:
    kind = view.get("type")
    if kind not in {"modal", "home"}:
        yield "must be a valid enum value", "/view/type"
    if kind == "modal":
        yield from _plain(view.get("title"), 24, "/view/title")
        for name in ("submit", "close"):
            if name in view:
                yield from _plain(view[name], 24, f"/view/{name}")
        has_input = any(one.get("type") == "input" for one in view.get("blocks") or ())
        if has_input and "submit" not in view:
            yield "missing required field: submit", "/view"
    yield from _most(view.get("private_metadata", ""), 3000, "/view/private_metadata")
    yield from _most(view.get("callback_id", ""), _ID, "/view/callback_id")
    for what, where in _blocks(view.get("blocks"), view=True):
        yield what, f"/view{where}"


def _blocks(blocks: object, *, view: bool) -> Iterator[Problem]:
    if not isinstance(blocks, list):
        yield "must be an array", "/blocks"
        return
    most = VIEW_BLOCKS if view else MESSAGE_BLOCKS
    if len(blocks) > most:
        yield f"no more than {most} items allowed", "/blocks"
    named: set[str] = set()
    for index, one in enumerate(blocks):
        where = f"/blocks/{index}"
        if not isinstance(one, Mapping) or one.get("type") not in (
            _IN_VIEWS if view else _IN_MESSAGES
        ):
            yield "unsupported type", f"{where}/type"
            continue
        name = one.get("block_id", "")
        yield from _most(name, _ID, f"{where}/block_id")
        if name and name in named:
            yield f"`block_id` {name} already exists", where
        named.add(name)
        yield from _CHECKS[str(one["type"])](one, where)


def _section(one: Json, where: str) -> Iterator[Problem]:
    fields = one.get("fields")
    if "text" not in one and not fields:
        yield "missing required field: text", where
    if "text" in one:
        yield from _text(one["text"], _TEXT, f"{where}/text")
    for index, each in enumerate(fields or ()):
        yield from _text(each, 2000, f"{where}/fields/{index}")
    if len(fields or ()) > 10:
        yield "no more than 10 items allowed", f"{where}/fields"
    if "accessory" in one:
        yield from _element(one["accessory"], f"{where}/accessory")


def _header(one: Json, where: str) -> Iterator[Problem]:
    yield from _plain(one.get("text"), 150, f"{where}/text")


def _context(one: Json, where: str) -> Iterator[Problem]:
    elements = one.get("elements")
    if not isinstance(elements, list) or not elements:
        yield "no less than 1 items required", f"{where}/elements"
        return
    if len(elements) > 10:
        yield "no more than 10 items allowed", f"{where}/elements"
    for index, each in enumerate(elements):
        if each.get("type") != "image":
            yield from _text(each, _TEXT, f"{where}/elements/{index}")


def _actions(one: Json, where: str) -> Iterator[Problem]:
    elements = one.get("elements")
    if not isinstance(elements, list) or not elements:
        yield "no less than 1 items required", f"{where}/elements"
        return
    if len(elements) > 25:
        yield "no more than 25 items allowed", f"{where}/elements"
    known: set[str] = set()
    for index, each in enumerate(elements):
        action = each.get("action_id", "")
        if action and action in known:
            yield f"`action_id` {action} already exists", f"{where}/elements/{index}"
        known.add(action)
        yield from _element(each, f"{where}/elements/{index}")


def _image(one: Json, where: str) -> Iterator[Problem]:
    if not one.get("alt_text"):
        yield "missing required field: alt_text", where
    yield from _most(one.get("alt_text", ""), 2000, f"{where}/alt_text")
    if not one.get("image_url") and not one.get("slack_file"):
        yield "missing required field: image_url", where


def _input(one: Json, where: str) -> Iterator[Problem]:
    yield from _plain(one.get("label"), 2000, f"{where}/label")
    yield from _element(one.get("element"), f"{where}/element")


def _divider(one: Json, where: str) -> Iterator[Problem]:
    del one, where
    yield from ()


_CHECKS: Final[Mapping[str, Callable[[Json, str], Iterator[Problem]]]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "image": _image,
    "input": _input,
    "divider": _divider,
}


def _element(one: object, where: str) -> Iterator[Problem]:
    if not isinstance(one, Mapping):
        yield "must be an object", where
        return
    yield from _most(one.get("action_id", ""), _ID, f"{where}/action_id")
    if "confirm" in one:
        yield from _confirm(one["confirm"], f"{where}/confirm")
    match one.get("type"):
        case "button":
            yield from _plain(one.get("text"), 75, f"{where}/text")
            yield from _most(one.get("value", ""), 2000, f"{where}/value")
            yield from _most(one.get("url", ""), 3000, f"{where}/url")
            if "style" in one and one["style"] not in _STYLES:
                yield "must be a valid enum value", f"{where}/style"
        case "static_select" | "overflow":
            yield from _options(one, where)
        case "plain_text_input":
            if int(one.get("max_length", 3000)) > 3000 or int(one.get("min_length", 0)) > 3000:
                yield "must be less than or equal to 3000", where
        case _:
            yield "unsupported type", f"{where}/type"


def _options(one: Json, where: str) -> Iterator[Problem]:
    options = one.get("options")
    if not isinstance(options, list) or not options:
        yield "no less than 1 items required", f"{where}/options"
        return
    if len(options) > 100:
        yield "no more than 100 items allowed", f"{where}/options"
    if one.get("placeholder"):
        yield from _plain(one["placeholder"], 150, f"{where}/placeholder")
    for index, each in enumerate(options):
        yield from _plain(each.get("text"), 75, f"{where}/options/{index}/text")
        yield from _most(each.get("value", ""), 150, f"{where}/options/{index}/value")


def _confirm(one: object, where: str) -> Iterator[Problem]:
    if not isinstance(one, Mapping):
        yield "must be an object", where
        return
    yield from _plain(one.get("title"), 100, f"{where}/title")
    yield from _text(one.get("text"), 300, f"{where}/text")
    yield from _plain(one.get("confirm"), 30, f"{where}/confirm")
    yield from _plain(one.get("deny"), 30, f"{where}/deny")


def _plain(one: object, most: int, where: str) -> Iterator[Problem]:
    if isinstance(one, Mapping) and one.get("type") != "plain_text":
        yield "must be plain_text", f"{where}/type"
    yield from _text(one, most, where)


def _text(one: object, most: int, where: str) -> Iterator[Problem]:
    if not isinstance(one, Mapping):
        yield "must be an object", where
        return
    if one.get("type") not in {"plain_text", "mrkdwn"}:
        yield "must be a valid enum value", f"{where}/type"
    if one.get("type") == "mrkdwn" and "emoji" in one:
        yield "additional property: emoji", where
    if one.get("type") == "plain_text" and "verbatim" in one:
        yield "additional property: verbatim", where
    text = one.get("text")
    if not isinstance(text, str) or not text:
        yield "must be more than 0 characters", f"{where}/text"
        return
    yield from _most(text, most, f"{where}/text")


def _most(text: object, most: int, where: str) -> Iterator[Problem]:
    if not isinstance(text, str):
        yield "must be a string", where
    elif units(text) > most:
        yield f"must be less than {most + 1} characters", where


def units(text: str) -> int:
    """Return a length as the strictest of Slack's clients counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
