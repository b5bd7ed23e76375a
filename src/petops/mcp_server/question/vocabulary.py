"""The words that a question may be made of: what they mean, or that they mean nothing here.

A word that stands in none of these tables, and is no name in this Prometheus, is not understood,
and a question with it is refused: "gpu utilization" must not be answered with the processor's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from petops.mcp_server.question.lexicon import HARMLESS, MEANINGS
from petops.mcp_server.question.words import Spelling

LEMMAS: Final[Mapping[str, str]] = dict.fromkeys(HARMLESS.split(), "") | {
    word: lemma for lemma, words in reversed(tuple(MEANINGS.items())) for word in words.split()
}

KIND_LEMMAS: Final = frozenset(
    {"pod", "service", "deployment", "namespace", "node", "container", "hpa"}
)

_SIZES: Final = r"(v?cpus?|cores?|processors?|gigs?|gigabytes?|gi?b|megabytes?|mi?b)"
# Several words that mean one thing, before the words are looked at one by one.
_PHRASES: Final = tuple(
    (re.compile(rf"(?<![\w-])(?:{pattern})(?:(?![\w-])|(?<= ))"), put)
    for pattern, put in (
        (
            (
                r"(?:i|we)(?: would| will| do)?(?: really| also)? (?:want|like|need|wish|love)"
                r"(?: to (?:see|know|get|have|check|look at|find out|understand))?"
            ),
            "",
        ),
        (r"(?:over|above|more than) half a second", "over 500 ms"),
        (r"half a second", "500 ms"),
        (r"(?:a )?quarter of a second", "250 ms"),
        (r"(?:(?<=over )|(?<=than )|(?<=least ))(?:a|one) (second|minute)", r"1 \1"),
        (rf"(?:a |one )?half (?:of )?an? {_SIZES}", r"0.5 \1"),
        (rf"(?:a |one )?third of an? {_SIZES}", r"0.33333 \1"),
        (rf"(?:a |one )?quarter (?:of )?an? {_SIZES}", r"0.25 \1"),
        (rf"three quarters of an? {_SIZES}", r"0.75 \1"),
        (rf"one and a half {_SIZES}", r"1.5 \1"),
        (r"(?:lowest|shortest) (?:on|of|in) (memory|ram|mem|disk|space)", r"lowest free \1"),
        (r"(?:low|short|tight) (?:on|of) (memory|ram|mem|disk|space)", r"lowest free \1"),
        (r"three quarters (?=of |its |their |the )", "75% "),
        (r"two thirds (?=of |its |their |the )", "66.667% "),
        (r"(?:a |one )?half (?=of |its |their |the )", "50% "),
        (r"(?:a |one )third (?=of |its |their |the )", "33.333% "),
        (r"(?:a |one )quarter (?=of |its |their |the )", "25% "),
        (r"hog(?:s|ging)?|devour(?:s|ing)?|gobbl(?:es|ing)", "usage most"),
        (r"break(?:s|ing)? (?:down|up)|break", "per"),
        (
            (
                r"(?:distribut(?:ed|es?|ing|ion)|spread|divided|shared|split)(?: up| out)?"
                r" (?:over|across|among|amongst|between|by)"
            ),
            "per",
        ),
        (r"(?:can ?not|unable to|no longer) (?:scale|add|grow)(?: out| up)?", "atmax"),
        (r"hits (?=on |to |at |for |per )", "request "),
        (r"(?:good|ok|valid) (?:responses|requests|answers|replies|calls)", "success"),
        (r"(?:per|by)-(pod|service|node|namespace|container|deployment|app)", r"per \1"),
        (r"cache (?:hits?|miss(?:es)?)", "cachehits"),  # none of memory's, nor known here
        (r"w/o", "without"),
        (r"w/", "with"),
        (r"quer(?:y|ies) (?:rates?|volume|load)", "request rate"),
        (r"non[- ](?:5xx|errors?|error|failed|failing)", "success"),
        # What can still be used, or more of it, is what is left.
        (r"how (?:much|many) (?:more|extra) (?=.*\b(?:can|could|may|before|until)\b)", "headroom "),
        (
            (
                r"how (?:much|many) (?=.*\b(?:can|could|may)\b)"
                r"(?=.*\b(?:still|before|until|another|additionally)\b)"
            ),
            "headroom ",
        ),
        (r"(maximum|minimum|max|min|desired|current|available) number of (?=replicas)", r"\1 "),
        (r"horizontal pod autoscalers?", "hpa"),
        (r"working sets?", "workingset"),
        (r"page[- ]?cache(?: memory)?", "cached"),
        (r"resident sets?(?: size)?", "rss"),
        (
            r"(\d{1,2}(?:\.\d+)?)(?:st|nd|rd|th)[- ](?:pctl?|percent|%|percentile|quantile)s?",
            r"p\1",
        ),
        (r"(?:p|q|tp|pct|pctl)[- ]?(\d{2}(?:\.\d+)?)(?:th)?|(\d{2}) ?%?[- ]?ile", r"p\1\2"),
        (r"0?\.(\d{2,3})(?:th|[- ])? ?(?:quantile|percentile)", r"p\1"),
        (r"(?:out[- ]of[- ]memory|oom)[- ]kill(?:s|ed|ings?)?", "oom"),
        (r"crash[- ]?loop(?:ing|s|ed)?(?: ?back ?off)?", "crash"),
        (r"(?:run(?:s|ning)?|be|go(?:es|ing)?|ran) out of memory", "runout memory"),
        (r"(?:hit|get)s? oom", "runout memory"),
        (r"(?:run(?:s|ning)?|ran) out of", "runout"),
        (r"run(?:s|ning)? out", "runout"),
        (r"(?:at|in) (?:risk|danger) of (?:being |getting )?(?:an )?oom(?:ing)?", "runout memory"),
        (r"(?:about|going|likely) to (?:be |get )?oom|close to (?:an )?oom", "runout memory"),
        (r"at (?:risk|danger) of", "runout"),
        (r"out of memory", "oom"),
        (r"(?<=than )once|(?<=least )once", "1"),
        (r"(?<=than )twice|(?<=least )twice", "2"),
        (r"at least|no less than|no fewer than|minimum of|>=", "atleast"),
        (r"at most|no more than|up to|maximum of|<=", "atmost"),
        (r"(?:more|greater|higher|larger|bigger|longer) than|in excess of", "over"),
        (r"less than|fewer than|lower than|smaller than|shorter than", "below"),
        (r"(?:take|need|require)(?:s|ing)? (?:the )?(?:longest|most time)", "latency most"),
        (r"(?:take|need|require)(?:s|ing)? (?:the )?(?:shortest|least time)", "latency bottom"),
        (r"next to|alongside|side by side(?: with)?|in comparison(?: with| to)?", "compare"),
        (r"slower than|worse than", "slow over"),
        (r"faster than|better than", "latency below"),
        (r"(?:queries|calls|hits) per second|(?:requests?|reqs?|hits)/s(?:ec)?", "request rate"),
        (r"(?:requests?|reqs?|hits)/min(?:ute)?", "request rate perminute"),
        (r"(?:response|reply|service) times?|response latency|request durations?", "latency"),
        (r"how long (?:do|does|are|is|did)", "latency"),
        (r"how (?:quickly|fast) (?:do|does|did) (?=.*\b(?:respond|answer|reply))", "latency"),
        (r"not (?:yet )?ready", "notready"),
        (r"not (?:currently )?running", "notrunning"),
        (r"(?:not )?being (?=throttled)", ""),
        (r"(?:flow|pour|stream|com|go)(?:s|es|e|ing)? (?:in|into)", "receive"),
        (r"(?:flow|pour|stream|com|go)(?:s|es|e|ing)? (?:out|out of)", "transmit"),
        (r"(?:other than|apart from|aside from|but not|not (?:counting|including))", "except"),
        (r"how high (?:did|has|have) (?=.*\b(?:get|got|go|gone|rise|risen|been)\b)", "maximum "),
        (r"how low (?:did|has|have) (?=.*\b(?:get|got|go|gone|fall|sink|been)\b)", "minimum "),
        (r"by how much (?=.* (?:under|below|short of|away from) .*limit)", "headroom "),
        (r"how (?:far|close|near) (?:away )?(?=.* (?:from|off|below|under|away) )", "headroom"),
        (r"(?:go|goes|gone|going|went|shot|creep|creeps|crept|creeping) up", "growth"),
        (r"(?:go|goes|gone|going|went|come|comes|came|coming) down", "shrink"),
        (r"(memory|disk|pid|network)pressure", r"\1 pressure"),
        (r"(?<=restart |request )counts?|(?<=restarts |requests )counts?", "much"),
        (r"total number of", "total many"),
        (r"number of|count of|the count|no\. of", "many"),
        (r"how many times|how often", "often"),
        (r"how many", "many"),
        # A noun before another one only says more of it: of container restarts, restarts count.
        (r"(?<=many )(?:pod|container) (?=(?:restarts|crashes|evictions|requests|errors)\b)", ""),
        (r"(?:is|are) going to|gonna", "will"),
        (r"how much", "much"),
        (r"(?:any|some)thing (?=(?:\w+ )?(?:restart|crash|oom|evict))", "all pod "),
        (r"right now|at the moment|at present|as of now|presently|just now", "now"),
        (r"(?:going|anything|something|what'?s|acting|looks?|behaving) (?:wrong|off)", "anomaly"),
        (r"(?:normal|as usual|as expected)(?=[ ?!.]*(?:$|right|now|today|over|during))", "anomaly"),
        (
            r"((?:is|are|was|were|does|do|did|everything)\b.*) (?:ok|okay|fine|alright|in order)",
            r"\1 anomaly",
        ),
        (r"out of the ordinary|not normal|stands? out|standing out", "anomaly"),
        (r"per cent", "%"),
        (r"over time", "trend"),
        (r"time series", "trend"),
        (r"disk i/?o", "disk io"),
        (r"max(?:ed|ing)? out", "atmax"),
        (r"at (?:its|their|the) (?:max(?:imum)?|limit|ceiling)(?: replicas?| size)?", "atmax"),
        (r"at max(?:imum)?(?: replicas?)?|scaled to the max", "atmax"),
        (r"percent of|% of", "% of"),
        (
            r"what (?:is |are |was )?(?:all )?(?=(?:eat|us|consum|hog|burn|occupy|tak|chew)ing\b)",
            "which most",
        ),
        (r"(?:per|a|each|every) sec(?:ond)?|/ ?s(?:ec(?:ond)?)?", "persecond"),
        (r"(?:per|a|each|every) min(?:ute)?|/ ?min(?:ute)?", "perminute"),
        (r"(?:per|an|each|every) h(?:ou)?r", "perhour"),
        (r"(?:broken down|grouped|split) by|(?:for|of|on|in) (?:each|every)", "per"),
        (r"in use", "usage"),
        (r"http status(?: codes?)?|status codes?", "code"),
        (r"the same", ""),
        (r"used up", "usage"),
        (r"set (?:to|at|on|for)", ""),
        (r"(?:for|of|by) all|across all|over all|across the|for the whole|for every", "across all"),
    )
)  # fmt: skip
_SHORTEST_STEM: Final = 3
_SUFFIXES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("ies", ("y",)),
    ("ied", ("y",)),
    ("iest", ("y",)),
    ("ier", ("y",)),
    ("ily", ("y",)),
    ("es", ("", "e")),
    ("s", ("",)),
    ("ed", ("", "e")),
    ("ing", ("", "e")),
    ("est", ("", "e")),
    ("er", ("", "e")),
    ("ly", ("", "le")),
)
_ADVERB: Final = re.compile(r"[a-z]{3,}[a-z]ly")
_NO_ADVERBS: Final = ("assembly", "supply", "reply", "family", "anomaly", "butterfly", "monopoly")
_DESCRIBED: Final = frozenset({"memory", "cpu", "error", "latency", "network", "request", "disk"})
_MARKS: Final = frozenset(
    {"runout", "notrunning", "atmax", "persecond", "perminute", "perhour", "often", "risk"}
)


METHOD: Final = "method:"  # marks a verb of HTTP, which is a word of another meaning besides
_VERBS: Final = re.compile(
    r"(?<=[a-z0-9] )(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\b"
    r"|\b(?i:(get|post|put|patch|delete|head))(?=s? (?i:requests|calls|traffic)\b)"
)


def with_methods(text: str) -> str:
    """Return text, in its own case, with the verbs of HTTP marked: `GET requests`."""
    if text.isupper():
        return text
    return _VERBS.sub(lambda found: f"{METHOD}{(found[1] or found[2]).lower()}", text)


def with_phrases(text: str) -> str:
    """Return lower-case text with its set phrases as single words."""
    for pattern, put in _PHRASES:
        text, count = pattern.subn(f" {put} ", text)
        if count:
            text = " ".join(text.split())
    return text


def meaning(word: str) -> str | None:
    """Return a word's lemma, empty where it means nothing here, None where it is not known."""
    return word if word in _MARKS else LEMMAS.get(word)


def inflected(word: str) -> str | None:
    """Return the known word of which this is another form: `returned`, `hotter`, `busily`.

    How something is done matters no further: an adverb that is not known means nothing here.
    """
    if _ADVERB.fullmatch(word) and not word.endswith(_NO_ADVERBS):
        return _inflected(word) or "really"
    return _inflected(word)


def _inflected(word: str) -> str | None:
    for suffix, ends in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem == word or len(stem) < _SHORTEST_STEM:
            continue
        forms = [f"{stem}{end}" for end in ends]
        if stem[-1] == stem[-2]:
            forms.append(stem[:-1])
        for known in forms:
            if LEMMAS.get(known, "pod") not in KIND_LEMMAS:
                return known
    return None


def corrected(word: str) -> str | None:
    """Return the one known word that a mistyped one can be; one that means something goes first."""
    near: tuple[str, ...] = _spelling().near(word) or _with_a_letter_more().get(word, ())
    # A first letter is hardly ever mistyped; it may change places with the second.
    near = tuple(one for one in near if one[0] == word[0] or sorted(one[:2]) == sorted(word[:2]))
    telling: dict[str, str] = {LEMMAS[one]: one for one in near if LEMMAS[one]}
    if not telling:
        return near[0] if near else None
    return next(iter(telling.values())) if len(telling) == 1 else None


def described(word: str) -> str:
    """Return the meanings of a word that is joined of a measure and what is said of it.

    `memory-hungry`, `cpu-bound`; but `search-api` and `cpu-service` are somebody's names.
    """
    first, *others = word.split("-")
    lemmas = [meaning(one) for one in (first, *others)]
    if len(lemmas) < 2 or None in lemmas or lemmas[0] not in _DESCRIBED:
        return ""
    return "" if KIND_LEMMAS & set(lemmas) else " ".join(one for one in lemmas if one)


@cache
def _with_a_letter_more() -> Mapping[str, tuple[str, ...]]:
    """Return by words with a letter too few those of four or five that they may be: `rat`."""
    found: dict[str, tuple[str, ...]] = {}
    for word in LEMMAS:
        if len(word) in {4, 5} and LEMMAS[word]:
            for at in range(len(word)):
                short = word[:at] + word[at + 1 :]
                found[short] = (*found.get(short, ()), word)
    return found


@cache
def _spelling() -> Spelling:
    return Spelling(tuple(LEMMAS))
