"""Whatever is asked, there is an answer or a refusal, and nothing slips into the PromQL."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petops.mcp_server.question import Catalogue, Refused, translate
from petops.mcp_server.question.lexicon import MEANINGS
from petops.mcp_server.question.promql import Matcher, one_of
from tests.mcp_server.clusters import NOW, PODS, common, other

WORDS = sorted({word for row in MEANINGS.values() for word in row.split()})
NAMES = [*PODS, "shop", "money", "node-a", "cart-6b9f8d7c5-2xk9p"]
TIMES = ["over the last hour", "30m", "since 11:30", "yesterday", "an hour ago", "in 2 hours"]
FIGURES = ["80%", "3", "200 MiB", "0.5 cores", "p95", "5xx", "100ms"]
PIECES = st.one_of(
    *(st.sampled_from(one) for one in (WORDS, NAMES, TIMES, FIGURES)), st.text(max_size=8)
)
QUESTIONS = st.one_of(st.text(), st.lists(PIECES, max_size=12).map(" ".join))
CLUSTERS = (common(), common(twice=True), other())
STRING = re.compile(r'"(?:\\.|[^"\\])*"')


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(QUESTIONS, st.sampled_from(CLUSTERS))
def test_any_text_gives_an_answer_or_a_refusal(question: str, cluster: Catalogue) -> None:
    found = translate(question, cluster, NOW)
    if isinstance(found, Refused):
        assert found.why
        return
    bare = STRING.sub("", found.promql)
    assert bare.count("(") == bare.count(")")
    assert bare.count("{") == bare.count("}")
    assert re.fullmatch(r"[\w\s(){}\[\],:.=!~<>*/+-]*", bare), found.promql
    assert found.reading


@given(st.text(max_size=30))
def test_a_label_value_stays_inside_its_quotes(value: str) -> None:
    written = str(Matcher("pod", "=", value))
    assert STRING.fullmatch(written.removeprefix("pod="), 0) or "\n" in value


@given(st.lists(st.text(alphabet=".*+?()[]{}|^$\\-ab1", min_size=1), min_size=2, max_size=3))
def test_several_values_match_themselves_and_no_others(values: list[str]) -> None:
    matcher = one_of("pod", values)
    if matcher.sign == "=~":
        assert all(re.fullmatch(matcher.value, value) for value in values)
        assert not re.fullmatch(matcher.value, "something else")
