"""Chance that comes out the same every time: numbers from a seed and a key, without any state.

The same key always gives the same number, so that what is drawn does not depend on the order of
events, and a moment of the past can be asked for again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SAFE: Final = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random parts of names of: no vowels, no digits that look like letters."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws for one seed."""

    seed: int

    def digest(self, *key: object) -> bytes:
        """Return 32 bytes."""
        text = "\x1f".join(map(str, (self.seed, *key)))
        return hashlib.blake2b(text.encode(), digest_size=32).digest()

    def unit(self, *key: object) -> float:
        """Return a number from 0 up to, not including, 1."""
        return int.from_bytes(self.digest(*key)[:7], "big") / 2**56

    def between(self, low: float, high: float, *key: object) -> float:
        """Return a number from `low` to `high`."""
        return low + (high - low) * self.unit(*key)

    def suffix(self, length: int, *key: object) -> str:
        """Return the random part of a name, as Kubernetes makes it."""
        return "".join(_SAFE[byte % len(_SAFE)] for byte in self.digest(*key)[:length])

    def uid(self, *key: object) -> str:
        """Return a version 4 UUID."""
        raw = bytearray(self.digest(*key)[:16])
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        text = raw.hex()
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))

    def container_id(self, *key: object) -> str:
        """Return what containerd calls a container: 64 hexadecimal digits."""
        return self.digest(*key).hex()

    def wobble(self, *key: object) -> Callable[[float], float]:
        """Return a smooth noise between -1 and 1, by seconds, that moves over some minutes."""
        slow, fast = 6.3 * self.unit("slow", *key), 6.3 * self.unit("fast", *key)
        return lambda at: 0.6 * math.sin(at / 97.0 + slow) + 0.4 * math.sin(at / 23.0 + fast)


def safe_hash(text: str) -> str:
    """Return the `pod-template-hash` form of a text: FNV-1a, then Kubernetes' safe alphabet."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_SAFE[ord(char) % len(_SAFE)] for char in str(value))
