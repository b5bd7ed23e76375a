"""Names in a question, resolved against the names that this Prometheus really has. Pure.

Rule: a name is never guessed. What two could be meant by, or none, is refused with the nearest.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from petops.mcp_server.question.catalogue import Catalogue, host, owner, squash
from petops.mcp_server.question.words import swapped

_SHORTEST_PART = 4
_SHORTEST_START = 3
_NODE_PART = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*\d")
_MOST_NEAREST = 3
_MOST_CHOICES = 60
_WORKLOAD_KINDS = frozenset({"service", "deployment"})
_PREFERRED: Mapping[str | None, tuple[str, ...]] = {
    None: ("workload", "pod", "node", "namespace", "container", "hpa"),
    "pod": ("pod", "workload", "container"),
    "service": ("workload", "container"),
    "deployment": ("workload", "container"),
    "container": ("container", "workload"),
    "hpa": ("hpa", "workload"),
    "node": ("node",),
    "namespace": ("namespace",),
}
_Find = Callable[[str, Catalogue], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One thing that a question is about. `note` says how an inexact name was read."""

    kind: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotResolved:
    """A name that nothing here has, or that several have."""

    text: str
    why: str
    nearest: tuple[str, ...] = ()


def resolve(text: str, kind: str | None, catalogue: Catalogue) -> Entity | NotResolved | None:
    """Return what a name stands for: of the kind, where the question names one.

    None where it is like nothing at all.
    """
    found = resolve_whole(text, kind, catalogue)
    return found or _searched(text, kind, catalogue, _LOOSE)


def resolve_whole(text: str, kind: str | None, catalogue: Catalogue) -> Entity | NotResolved | None:
    """Return what is called so, or has this as a whole part of its name."""
    word = text.lower()
    found = _exact(word, kind, catalogue) or _begun_pod(word, kind, catalogue)
    return found or _searched(text, kind, catalogue, _WHOLE)


def _searched(
    text: str, kind: str | None, catalogue: Catalogue, ways: Sequence[tuple[_Find, str]]
) -> Entity | NotResolved | None:
    """Return the one name that the first of these ways finds; if it finds several, all of them."""
    word = text.lower()
    for find, how in ways:
        names = _of_kind(find(word, catalogue), kind, catalogue)
        if len(names) == 1:
            return _entity(names[0], kind, catalogue, how, text)
        if names:
            why = f"{text[:60]!r} could be any of several names"
            return NotResolved(text=text, why=why, nearest=names[:5])
    return None


def exact(word: str, kind: str | None, catalogue: Catalogue) -> Entity | None:
    """Return what is called exactly so."""
    return _exact(word.lower(), kind, catalogue)


def nearest(text: str, kind: str | None, catalogue: Catalogue) -> tuple[str, ...]:
    """Return names of the kind that are most like this one, or else a few of them."""
    word = text.lower()[:80]
    names = set(_choices(word, kind, catalogue))
    grams = {word[i : i + 3] for i in range(len(word) - 2)}
    scored = sorted(
        ((sum(gram in name for gram in grams) / (len(name) + len(word)), name) for name in names),
        reverse=True,
    )
    return tuple(name for _, name in scored[:_MOST_NEAREST])


def _choices(word: str, kind: str | None, catalogue: Catalogue) -> Iterable[str]:
    """Return some names to choose from, those that begin alike first: of pods, the workloads'."""
    kinds = ("service", "namespace") if kind is None else ("service" if kind == "pod" else kind,)
    for one in kinds:
        names = catalogue.ordered.get(one, ())
        at = bisect_left(names, word[:2])
        yield from names[at : at + _MOST_CHOICES]
        yield from names[: min(at, _MOST_CHOICES)]


def _exact(word: str, kind: str | None, catalogue: Catalogue) -> Entity | None:
    bare = host(word)
    kinds = catalogue.kinds_of.get(word) or catalogue.kinds_of.get(bare)
    if not kinds:
        return None
    chosen = _choose(kinds, kind)
    if chosen is None:
        return None
    name = catalogue.written[word if word in catalogue.written else bare]
    return Entity(kind=chosen, name=host(name) if chosen == "node" else name)


def _choose(kinds: frozenset[str], wanted: str | None) -> str | None:
    """Return as what a name is taken; nothing where it is of another kind than was asked for."""
    there = {"workload" if kind in _WORKLOAD_KINDS else kind for kind in kinds}
    return next((kind for kind in _PREFERRED[wanted] if kind in there), None)


def _begun_pod(word: str, kind: str | None, catalogue: Catalogue) -> Entity | None:
    """Return the one pod whose name begins with the word, in the middle of its own part."""
    if kind not in {None, "pod"} or "-" not in word or not re.search(r"\d", word):
        return None
    at = bisect_left(catalogue.sorted_pods, word)
    names = [name for name in catalogue.sorted_pods[at : at + 2] if name.startswith(word)]
    if len(names) != 1:
        return None
    return Entity(
        kind="pod", name=names[0], note=f"{word[:60]!r} read as {names[0]} (its beginning)"
    )


def _of_kind(names: Iterable[str], kind: str | None, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the names that can be of the kind; a workload's own name hides its container's."""
    fit = sorted({name for name in names if _choose(catalogue.kinds_of[name], kind)})
    if len(fit) > 1:
        workloads = [name for name in fit if catalogue.kinds_of[name] & _WORKLOAD_KINDS]
        others = [name for name in fit if catalogue.kinds_of[name] - {"container", "hpa"}]
        fit = workloads if len(workloads) == 1 and len(others) == 1 else fit
    return tuple(catalogue.written[name] for name in fit)


def _entity(
    name: str, kind: str | None, catalogue: Catalogue, how: str, text: str
) -> Entity | NotResolved:
    found = _exact(name.lower(), kind, catalogue)
    if found is None:  # cannot be: the name was chosen for its kind
        return NotResolved(text=text, why=f"{text[:60]!r} is not known here")
    return Entity(kind=found.kind, name=found.name, note=f"{text[:60]!r} read as {name} ({how})")


def _rewritten(word: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Find a name written with other separators, or in the plural."""
    forms = {squash(word), squash(word.removesuffix("s"))}
    return tuple(
        catalogue.squashed[form] for form in forms if len(form) > 2 and form in catalogue.squashed
    )


def _started(word: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Find names that begin with the word, up to where a part of them ends, and its plural."""
    if len(word) < _SHORTEST_START:
        return ()
    plural = (f"{word}s",) if f"{word}s" in catalogue.kinds_of else ()
    return (*catalogue.by_start.get(word, ()), *plural)


def _within_node(word: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Find nodes that have the word, or the address, as whole parts of their names."""
    if not _NODE_PART.fullmatch(word):
        return ()
    inner = f"-{word.replace('.', '-')}."
    return tuple(node.lower() for node in catalogue.by_kind["node"] if inner in f"-{node.lower()}.")


def _parts(word: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Find names in which the word is a later part."""
    if len(word) < _SHORTEST_PART or word.isdigit():
        return ()
    return catalogue.by_part.get(word, ())


def _misspelt(word: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Find names, or beginnings of names, that differ by a typing error."""
    found = {one for one in swapped(word) if one in catalogue.kinds_of}
    for name in catalogue.spelling.near(word):
        found |= {name} if name in catalogue.kinds_of else set(catalogue.by_start.get(name, ()))
    return tuple(found)


def _inside(word: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Find names that begin with the word or hold it, not at the edge of a part."""
    if len(word) < _SHORTEST_PART or re.search(r"\d", word):
        return ()
    text, found, at = catalogue.everything, set[str](), -1
    while (at := text.find(word, at + 1)) >= 0 and len(found) < 6:
        start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        found.add(text[start:end])
        at = end
    starting = {name for name in found if name.startswith(word)}
    return tuple(starting or found)


_WHOLE: Sequence[tuple[_Find, str]] = (
    (_rewritten, "written"),
    (_started, "its beginning"),
    (_parts, "a part of it"),
    (_within_node, "a part of it"),
)
_LOOSE: Sequence[tuple[_Find, str]] = ((_misspelt, "misspelt"), (_inside, "a part of it"))


def workload_of(pod: str, catalogue: Catalogue) -> str:
    """Return the workload of a pod, known or by its name."""
    known = catalogue.pods.get(pod)
    return known.workload if known else owner(pod, catalogue.declared)
