"""A question as a row of items: meanings, figures and names. Pure.

The row is also one string, `memory for @0 over #0`, on which the rules of the grammar work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from petops.mcp_server.question.catalogue import Catalogue, squash
from petops.mcp_server.question.entities import (
    Entity,
    NotResolved,
    exact,
    nearest,
    resolve,
    resolve_whole,
)
from petops.mcp_server.question.vocabulary import (
    KIND_LEMMAS,
    METHOD,
    corrected,
    described,
    inflected,
    meaning,
)

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([a-z%]*)")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100|999)")
_ORDINAL = re.compile(r"(\d{1,2}(?:\.\d+)?)(?:st|nd|rd|th)")
_CODE = re.compile(r"([1-5])(?:xx|\d\d)s?")
_UNIT_LEMMAS = {
    "share": "%", "core": "core", "millisecond": "ms", "second": "s", "minute": "min", "bytes": "b",
    "kib": "kib", "mib": "mib", "gib": "gib", "kb": "kb", "mb": "mb", "gb": "gb",
}  # fmt: skip
_WRITTEN_UNITS = {
    "%": "%", "ms": "ms", "s": "s", "sec": "s", "m": "m", "mi": "mib", "mib": "mib", "gi": "gib",
    "gib": "gib", "ki": "kib", "kib": "kib", "mb": "mb", "gb": "gb", "kb": "kb", "k": "k",
    "g": "gb",
    "b": "b", "x": "x", "rps": "rps", "qps": "rps", "core": "core", "cores": "core", "min": "min",
    "mcpu": "m", "milliseconds": "ms", "seconds": "s", "pct": "%",
}  # fmt: skip
_MILLI = re.compile(r"milli-?cores?|mcores?")
_LONGEST_JOIN = 3
_BEFORE_NAMES = frozenset({"of", "for", "does", "is", "has", "vs", "versus", "and", "between"})
_ARTICLES = frozenset({"the", "a", "an", "my", "our", "this", "that"})
_PRONOUNS = frozenset({"it", "them", "this", "that", "these", "those", "us", "me", "everyone"})
_OF_ANY_KIND = frozenset({"own", "other", "same", "only", "single", "respective", "whole"})
_BEFORE_KINDS = frozenset({"by", "per", "each", "every", "which", "all", "what", "any"})
_PERCENT = frozenset({"%", "percent", "percentage", "percentages", "pct"})
_SPELLED = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10,
    "twelve": 12, "fifteen": 15, "twenty": 20, "fifty": 50, "hundred": 100,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit, if it has one."""

    value: float
    unit: str = ""


@dataclass(slots=True, kw_only=True)
class Sentence:
    """What was understood word by word, and what was not."""

    row: str = ""
    entities: list[Entity] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    quantiles: list[float] = field(default_factory=list)
    is_percent: bool = False
    unknown: list[NotResolved] = field(default_factory=list)

    @property
    def quantile(self) -> float | None:
        """The percentile that is named, the first of several."""
        return self.quantiles[0] if self.quantiles else None

    def has(self, *lemmas: str) -> bool:
        """Say whether any of these stands in the row."""
        return any(f" {lemma} " in self.row for lemma in lemmas)

    def matches(self, pattern: str) -> bool:
        """Say whether a pattern of lemmas stands in the row."""
        return re.search(pattern, self.row) is not None


class Reader:
    """Reads the words of one question in order."""

    def __init__(self, words: Sequence[str], catalogue: Catalogue) -> None:
        self._words = words
        self._lower = [word.lower() for word in words]
        self._catalogue = catalogue
        self._items: list[str] = []
        self._skip = 0
        self.sentence = Sentence()

    def read(self) -> Sentence:
        """Return the sentence."""
        for at in range(len(self._words)):
            if self._skip:
                self._skip -= 1
                continue
            item = self._item(at)
            if item:
                self._items.append(item)
        self.sentence.row = f" {' '.join(self._items)} "
        return self.sentence

    def _item(self, at: int) -> str:
        word = self._lower[at]
        if word.startswith(METHOD):
            self.sentence.methods.append(word.removeprefix(METHOD).upper())
            return "" if self._lemma(at + 1) in {"request", "traffic", "response"} else "request"
        if self._words[at] in self._catalogue.names and "_" in word:
            self.sentence.metrics.append(self._words[at])
            return "metric"
        figure = self._figure(at, word)
        if figure is not None:
            return figure
        return self._name(at, word)

    def _figure(self, at: int, word: str) -> str | None:
        """Return the item of a number, a percentile or a status code."""
        sentence = self.sentence
        percentile = _PERCENTILE.fullmatch(word)
        ordinal = _ORDINAL.fullmatch(word)
        if percentile or (ordinal and self._lemma(at + 1) in {"percentile", "latency"}):
            text = (percentile or ordinal or [""])[1]
            sentence.quantiles.append(float(text) / (100 if float(text) <= 100 else 1000))
            return "percentile"
        if _CODE.fullmatch(word) and (not word.isdigit() or self._is_code(at)):
            sentence.codes.append(word.rstrip("s"))
            return "code"
        if word in _PERCENT:
            sentence.is_percent = True
        spelled = _SPELLED.get(word) if not self._kind_before(at) else None
        number = _NUMBER.fullmatch(str(spelled) if spelled else word)
        if number is None or (number[2] and number[2] not in _WRITTEN_UNITS):
            return None
        unit = _WRITTEN_UNITS.get(number[2], "")
        of_latency = unit == "%" and self._lemma(at + 1) == "latency"
        if of_latency or (self._lemma(at + 1) == "percentile" and unit in {"", "%"}):
            sentence.quantiles.append(float(number[1]) / 100)
            return "percentile"
        if not unit and at + 1 < len(self._lower):
            if _MILLI.fullmatch(self._lower[at + 1]):
                unit, self._skip = "m", 1
            elif self._lemma(at + 1) in _UNIT_LEMMAS:
                unit, self._skip = _UNIT_LEMMAS[self._lemma(at + 1) or ""], 1
        sentence.figures.append(Figure(float(number[1]), unit))
        return f"#{len(sentence.figures) - 1}"

    def _is_code(self, at: int) -> bool:
        """Say whether a bare number of three digits is an HTTP status."""
        around = {self._lemma(at + 1), self._lemma(at - 1)}
        if around & {"error", "response", "code"} or self._word(at - 1) == "http":
            return True
        bound = {"over", "below", "more", "less", "atleast", "atmost", "most", "bottom"}
        of_requests = {"request", "response", "http", "return", "returned"}
        spoken = {self._lemma(other) or self._word(other) for other in range(len(self._lower))}
        return self._lower[at][0] in "45" and not around & bound and bool(spoken & of_requests)

    def _name(self, at: int, word: str) -> str:
        """Return the item of a word: a name, where the place says so; else a meaning."""
        kind = self._kind(at, word)
        known = meaning(word)
        named = self._stands_as_name(at, word)
        if known is None or kind or named or (known == "" and len(word) > 3):
            wanted = kind or self._by_preposition(at, word)
            entity = exact(word, wanted, self._catalogue)
            if entity is not None and (known is None or self._may_be_name(at, word)):
                return self._entity(at, entity)
        joined = self._joined(at, kind)
        if joined is not None:
            return joined
        if known is not None and not self._must_be_name(at, word):
            return known
        return self._unknown(at, word, kind)

    def _may_be_name(self, at: int, word: str) -> bool:
        """A word with a meaning is a name only where a name must stand."""
        if meaning(word) == "" or self._stands_as_name(at, word):
            return True
        return self._lemma(at - 1) in KIND_LEMMAS or self._lemma(at + 1) in KIND_LEMMAS

    def _stands_as_name(self, at: int, word: str) -> bool:
        """Say whether a word with a meaning is a workload's or place's name: `cpu of backend`."""
        if not self._catalogue.kinds_of.get(word, frozenset()) - {"container", "hpa"}:
            return False
        before, after = self._word_before(at), self._word(at + 1)
        if meaning(after) is None and after in self._catalogue.kinds_of:
            return False  # it says of which kind the next one is
        if not before:
            return True
        return before in _BEFORE_NAMES or (not after and before not in _BEFORE_KINDS)

    def _must_be_name(self, at: int, word: str) -> bool:
        """Say whether a word without a meaning ends the question where a name must stand."""
        if meaning(word) not in {"", "rank"} or word in _PRONOUNS:
            return False
        if not self._word(at + 1):
            return self._word_before(at) in {"of", "for"}
        of_a_kind = self._lemma(at + 1) in KIND_LEMMAS and not self._is_subject(at + 1)
        alone = not self._word(at + 2) or meaning(self._word(at + 2)) is not None
        return of_a_kind and alone and self._word(at - 1) == "the" and word not in _OF_ANY_KIND

    def _word(self, at: int) -> str:
        return self._lower[at] if 0 <= at < len(self._lower) else ""

    def _word_before(self, at: int) -> str:
        """Return the word before, articles left out."""
        before = at - 1
        while self._word(before) in _ARTICLES:
            before -= 1
        return self._word(before)

    def _unknown(self, at: int, word: str, kind: str | None) -> str:
        found = resolve_whole(self._words[at], kind, self._catalogue)
        if found is None and kind is None and "-" not in word and meaning(word) is None:
            better = inflected(word)
            if better is None and (better := corrected(word)):
                self.sentence.notes.append(f"{word!r} read as {better!r}")
            if better is not None:
                return meaning(better) or ""
        if found is None and kind is None and (items := described(word)):
            return items
        found = found or resolve(self._words[at], kind, self._catalogue)
        if isinstance(found, Entity):
            return self._entity(at, found)
        if found is None:
            found = self._not_known(self._words[at], kind, at)
        self.sentence.unknown.append(found)
        return "?"

    def _joined(self, at: int, kind: str | None) -> str | None:
        """Return a name that was written as several words."""
        for count in range(_LONGEST_JOIN, 1, -1):
            words = self._lower[at : at + count]
            if len(words) < count or not all(map(squash, words)):
                continue
            name = self._catalogue.squashed.get(squash("".join(words)))
            entity = exact(name, kind, self._catalogue) if name else None
            if entity is None:
                entity = self._joined_misspelt(words, kind)
            if entity is not None:
                self._skip = count - 1
                return self._entity(at, entity)
        return None

    def _joined_misspelt(self, words: Sequence[str], kind: str | None) -> Entity | None:
        """Return the one name that was written as several words, with a typing error."""
        if any(meaning(word) is not None or word in self._catalogue.kinds_of for word in words):
            return None
        near = self._catalogue.spelling.near("-".join(words))
        return exact(near[0], kind, self._catalogue) if len(near) == 1 else None

    def _entity(self, at: int, entity: Entity) -> str:
        """Take a name, and the word for its kind beside it; `its pods` stay a subject."""
        if self._items and self._items[-1] == self._kind(at, self._lower[at]):
            self._items.pop()
        after = at + 1 + self._skip
        if self._lemma(after) in KIND_LEMMAS and not self._is_subject(after):
            self._skip += 1
        if entity.note:
            self.sentence.notes.append(entity.note)
        if entity in self.sentence.entities:
            return f"@{self.sentence.entities.index(entity)}"
        self.sentence.entities.append(entity)
        return f"@{len(self.sentence.entities) - 1}"

    def _is_subject(self, at: int) -> bool:
        """Say whether a word for a kind speaks of many: `petsite pods`."""
        return self._lower[at].endswith("s") and self._lower[at] not in {"ns", "eks"}

    def _kind(self, at: int, word: str) -> str | None:
        """Return the kind named beside a word: before it, or after it where that fits."""
        before, after = self._kind_before(at), self._kind_after(at)
        if before is None or exact(word, before, self._catalogue) is not None:
            return before or after
        if after is not None and exact(word, after, self._catalogue) is not None:
            return after  # `by pod, shop namespace`
        is_other = exact(word, None, self._catalogue) is not None
        return None if is_other and self._is_subject(at - 1) else before  # `all pods, shop`

    def _kind_before(self, at: int) -> str | None:
        """Return the kind named before a word: `pod X`, `namespace called X`."""
        before = at - 1
        while before >= 0 and self._lower[before] in {"called", "named", "the", "is"}:
            before -= 1
        lemma = self._lemma(before)
        if lemma == "and" and before >= 2 and self._items and self._items[-1] == "and":
            return None
        return lemma if lemma in KIND_LEMMAS else None

    def _kind_after(self, at: int) -> str | None:
        """Return the kind named after a word: `the X namespace`, `X pods`."""
        lemma = self._lemma(at + 1)
        # "payments pods" may be those of a workload or of a namespace
        return None if lemma not in KIND_LEMMAS or self._is_subject(at + 1) else lemma

    def _by_preposition(self, at: int, word: str) -> str | None:
        kinds = self._catalogue.kinds_of.get(word, frozenset())
        if "namespace" in kinds and self._lemma(at - 1) == "in":
            return "namespace"
        return None

    def _lemma(self, at: int) -> str | None:
        return meaning(self._lower[at]) if 0 <= at < len(self._lower) else None

    def _not_known(self, text: str, kind: str | None, at: int) -> NotResolved:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        looks_named = any(one in text for one in "-_.") or any(one.isdigit() for one in text)
        if kind or looks_named or self._lemma(at - 1) in {"for", "in"}:
            what = kind or "pod, service, node or namespace"
            why = f"there is no {what} called {shown!r} in this Prometheus"
            return NotResolved(text=text, why=why, nearest=nearest(text, kind, self._catalogue))
        return NotResolved(text=text, why=f"{shown!r} is not understood here")
