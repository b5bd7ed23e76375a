"""Words of a question, and words that are nearly others. Pure.

Rule: a typing error may change letters, never a digit: `node-11` is not a misspelt `node-12`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_WORD = re.compile(r"[^\W_](?:[\w.:/-]*[\w%])?%?|[<>]=?|%", re.UNICODE)
_POSSESSIVE = re.compile(r"['\u2019](?:s|d|m|re|ve|ll)\b", re.IGNORECASE)
_SHORT_NEGATIONS = (
    (re.compile(r"\bcan['\u2019]t\b", re.IGNORECASE), "cannot"),
    (re.compile(r"\bwon['\u2019]t\b", re.IGNORECASE), "will not"),
)
_NEGATION = re.compile(r"n['\u2019]t\b", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_SHORTEST_WITH_ONE_ERROR = 5
_SHORTEST_WITH_TWO_ERRORS = 9


def plain(question: str) -> str:
    """Return the question without control characters, in one normal form."""
    text = unicodedata.normalize("NFKC", question)
    text = "".join(one if one.isprintable() else " " for one in text)
    for pattern, put in _SHORT_NEGATIONS:
        text = pattern.sub(put, text)
    text = _POSSESSIVE.sub(" ", _NEGATION.sub(" not", text))
    return " ".join(text.split())


def words_of(text: str) -> tuple[str, ...]:
    """Return the words: names with their dots and dashes in one piece, and comparison signs."""
    return tuple(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    for found in _WORD.finditer(text):
        word = found[0].rstrip(".:/-")
        if "/" in word and not re.search(r"\d", word):  # cpu/memory, pods/services: two words
            yield from (part for part in word.split("/") if part)
        elif word.endswith("%") and word[:-1].isalpha():  # err%
            yield from (word[:-1], "%")
        elif word:
            yield word


def errors_allowed(word: str) -> int:
    """Return how many typing errors a word of this length may have and still be itself."""
    if len(word) < _SHORTEST_WITH_ONE_ERROR:
        return 0
    return 1 if len(word) < _SHORTEST_WITH_TWO_ERRORS else 2


def swapped(word: str) -> tuple[str, ...]:
    """Return what a word of four letters is if two neighbours have changed places: `auht`.

    Of words so short no other error is allowed; this one hardly ever makes another word.
    """
    if len(word) != _SHORTEST_WITH_ONE_ERROR - 1 or not word.isalpha():
        return ()
    places = range(len(word) - 1)
    return tuple(f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}" for at in places)


def distance(one: str, other: str, most: int) -> int:
    """Count insertions, deletions, changes and swaps of neighbours; more than `most` is most+1."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    one, other = _without_ends(one, other)
    if not one or not other:
        return len(one) + len(other)
    # Of two errors one is now at either end, and takes two letters at most.
    if most <= 2 and one[2:-2] not in other:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        row = [i]
        for j, right in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return last[-1]


def _without_ends(one: str, other: str) -> tuple[str, str]:
    """Return two words without what they begin and end with in common: that costs nothing."""
    start, shorter = 0, min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]


@dataclass(slots=True)
class Spelling:
    """Finds the known words that a mistyped one can be.

    With k errors, of k+2 pieces of a known word one at least stands whole in the typed one (a swap
    can break two), moved by k at most: the pieces are the index.
    """

    words: Iterable[str]
    _pieces: dict[tuple[int, int, str], list[str]] = field(default_factory=dict)
    _built: bool = False

    def near(self, word: str) -> tuple[str, ...]:
        """Return the nearest known words within the errors allowed, if any: all equally near."""
        most = errors_allowed(word)
        if not most:
            return ()
        self._build()
        best: dict[int, set[str]] = defaultdict(set)
        for known in self._candidates(word, most):
            allowed = min(most, errors_allowed(known))
            found = distance(word, known, allowed)
            if found <= allowed and _DIGITS.findall(known) == _DIGITS.findall(word):
                best[found].add(known)
        return tuple(sorted(best[min(best)])) if best else ()

    def _build(self) -> None:
        if self._built:
            return
        for word in set(self.words):
            for number, start, end in _cuts(len(word)):
                self._pieces.setdefault((len(word), number, word[start:end]), []).append(word)
        self._built = True

    def _candidates(self, word: str, most: int) -> set[str]:
        found: set[str] = set()
        for length in range(len(word) - most, len(word) + most + 1):
            for number, start, end in _cuts(length):
                for moved in range(-most, most + 1):
                    if start + moved >= 0:
                        piece = word[start + moved : end + moved]
                        found.update(self._pieces.get((length, number, piece), ()))
        return found


def _cuts(length: int) -> tuple[tuple[int, int, int], ...]:
    """Return number, start and end of the pieces that a word of this length is cut into."""
    if length < _SHORTEST_WITH_ONE_ERROR:
        return ()
    count = 3 if length < _SHORTEST_WITH_TWO_ERRORS else 5
    edges = [length * part // count for part in range(count + 1)]
    return tuple((number, edges[number], edges[number + 1]) for number in range(count))
