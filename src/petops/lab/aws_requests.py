"""What the lab's AWS services have in common: reading a request's JSON, and refusing it."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

T = TypeVar("T")

_LATEST: Final = 253402300799.0


class AwsRefusalError(Exception):
    """A request that a service refuses: the service's own code, and its sentence."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def read_json(body: bytes) -> Mapping[str, Any]:
    """Return a request's document; raise AwsRefusalError if it is none."""
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise AwsRefusalError("SerializationException", "the body is no JSON") from None
    if not isinstance(found, dict):
        raise AwsRefusalError("SerializationException", "Start of structure expected")
    return found


class Given:
    """The parameters of one request, each checked when it is read. `wrong` is the code for bad."""

    def __init__(self, given: object, wrong: str, missing: str | None = None) -> None:
        if not isinstance(given, Mapping):
            raise AwsRefusalError(wrong, "a structure is expected")
        self._given: Mapping[str, Any] = given
        self.wrong, self._missing = wrong, missing or wrong

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def refuse(self, message: str) -> AwsRefusalError:
        """Return the refusal of a bad value."""
        return AwsRefusalError(self.wrong, message)

    def text(self, name: str, default: str | None = None, longest: int = 20_000) -> str:
        """Return a text; without a default it must be there."""
        value = self._one(name, default)
        if not isinstance(value, str) or len(value) > longest:
            raise self.refuse(f"The parameter {name} must be a string of at most {longest}.")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        """Return a text that is one of some."""
        value = self.text(name, default)
        if value not in choices and value != default:
            allowed = ", ".join(choices)
            raise self.refuse(f"Value '{value[:100]}' at '{name}' must be one of [{allowed}]")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number."""
        value = self._one(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(f"The parameter {name} must be a number.")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.refuse(f"The parameter {name} must be a finite number.")
        return number

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number between two bounds."""
        number = self.number(name, default)
        if number != int(number) or not low <= number <= high:
            raise self.refuse(f"The parameter {name} must be an integer from {low} to {high}.")
        return int(number)

    def moment(self, name: str, default: float | None = None) -> float:
        """Return a time in seconds since 1970, given so or as ISO 8601."""
        value = self._one(name, default)
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value).timestamp()
            except (ValueError, OverflowError):
                raise self.refuse(f"The parameter {name} must be a timestamp.") from None
        number = self.number(name, default)
        if not 0 <= number <= _LATEST:
            raise self.refuse(f"The parameter {name} is out of range.")
        return number

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean."""
        value = self._one(name, default)
        if not isinstance(value, bool):
            raise self.refuse(f"The parameter {name} must be a boolean.")
        return value

    def texts(self, name: str, most: int, *, required: bool = False) -> list[str]:
        """Return a list of texts."""
        found = self._list(name, most, required=required)
        if not all(isinstance(one, str) for one in found):
            raise self.refuse(f"The parameter {name} must be a list of strings.")
        return found

    def numbers(self, name: str, most: int) -> list[float]:
        """Return a list of finite numbers."""
        found = self._list(name, most, required=True)
        return [Given({name: one}, self.wrong).number(name) for one in found]

    def parts(self, name: str, most: int, *, required: bool = False) -> list[Given]:
        """Return a list of structures."""
        found = self._list(name, most, required=required)
        return [Given(one, self.wrong, self._missing) for one in found]

    def part(self, name: str) -> Given:
        """Return a structure that must be there."""
        return Given(self._one(name, None), self.wrong, self._missing)

    def _list(self, name: str, most: int, *, required: bool) -> list[Any]:
        found = self._one(name, None if required else [])
        if not isinstance(found, list) or len(found) > most or (required and not found):
            raise self.refuse(f"The parameter {name} must be a list of at most {most} members.")
        return found

    def _one(self, name: str, default: T) -> Any:
        value = self._given.get(name)
        if value is None and default is None:
            raise AwsRefusalError(self._missing, f"The parameter {name} is required.")
        return default if value is None else value


def page(items: Sequence[T], given: Given, size: int, code: str) -> tuple[Sequence[T], str | None]:
    """Return the page that `NextToken` asks for, and the token of the next one."""
    start = 0
    if "NextToken" in given:
        start = token_position(given.text("NextToken"), code)
    rest = start + size < len(items)
    return items[start : start + size], token(start + size) if rest else None


def token(position: int) -> str:
    """Return an opaque token for a position."""
    return base64.urlsafe_b64encode(f"at:{position}".encode()).decode()


def token_position(text: str, code: str) -> int:
    """Return the position that a token stands for."""
    try:
        mark, _, number = base64.b64decode(text, altchars=b"-_", validate=True).partition(b":")
        if mark == b"at" and number.isdigit():
            return int(number[:12])
    except (ValueError, binascii.Error):
        pass
    raise AwsRefusalError(code, "The token is not valid.")
