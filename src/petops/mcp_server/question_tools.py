"""The tools that understand words, and those that help to find them."""

from __future__ import annotations

from typing import Annotated

from mcp_types import CallToolResult
from pydantic import Field
from typing_extensions import TypedDict  # pydantic refuses typing's own before Python 3.12

from petops.mcp_server import answers
from petops.mcp_server.answers import LeftOff, Limits
from petops.mcp_server.asked import Prometheus
from petops.mcp_server.catalogue_reader import moment_of
from petops.mcp_server.explain import explained
from petops.mcp_server.gate import Gate, told
from petops.mcp_server.question.entities import nearest
from petops.mcp_server.question.suggest import suggestions
from petops.mcp_server.questions import Questions, Reply

MOST_SUGGESTED = 50
_TEXT_ROWS = 20

Moment = Annotated[
    str | float | None, Field(description="As of when: RFC 3339 or Unix seconds; now by default")
]


class AskAnswer(TypedDict):
    """A question's answer, or why it has none: then `error` is set and `promql` is null."""

    question: str
    promql: Annotated[str | None, Field(description="What was asked of Prometheus")]
    kind: Annotated[str | None, Field(description="instant or range")]
    start: Annotated[float | None, Field(description="Unix seconds, of a range")]
    end: float | None
    step: Annotated[float | None, Field(description="Seconds between points of a range")]
    reading: Annotated[str, Field(description="How the question was taken, in words")]
    unit: Annotated[str, Field(description="Unit of the values: B, B/s, cores, ratio, s, /s, %")]
    resultType: str
    result: answers.Series
    leftOff: Annotated[LeftOff | None, Field(description="What did not fit, if anything")]
    insights: Annotated[list[str], Field(description="What stands out, a sentence each")]
    error: str | None
    nearest: Annotated[list[str], Field(description="Names or questions that do have an answer")]


class Suggestions(TypedDict):
    """Questions that this Prometheus can answer."""

    questions: list[str]
    names: Annotated[list[str], Field(description="Names like the one that was given")]


class Explanation(TypedDict):
    """A PromQL expression in words."""

    query: str
    valid: Annotated[bool, Field(description="Whether Prometheus can parse it")]
    error: Annotated[str | None, Field(description="The parser's own message")]
    sentences: list[str]
    unknown_metrics: Annotated[list[str], Field(description="Metrics that are not there")]


class QuestionTools:
    """Tools on questions about one Prometheus. Their docstrings are what a client reads."""

    def __init__(self, client: Prometheus, limits: Limits, gate: Gate) -> None:
        self._client = client
        self._limits = limits
        self._gate = gate
        self._questions = Questions(client)

    async def ask(
        self,
        question: Annotated[
            str, Field(description="In plain English, for example: p95 latency of checkout today")
        ],
        time: Moment = None,
    ) -> Annotated[CallToolResult, AskAnswer]:
        """Answer a question in plain words with PromQL, its result and what stands out in it.

        It knows memory, cpu, throttling, network, restarts, requests, errors, latency, nodes,
        replicas, rankings, bounds, comparisons, forecasts and anomalies, and every name in this
        Prometheus. What it cannot answer it refuses in `error`; it never guesses a name.
        """
        return await self._answered(question, time)

    async def detect_anomalies(
        self,
        measure: Annotated[
            str, Field(description="memory, cpu, latency, errors, restarts ...; all by default")
        ] = "",
        name: Annotated[str, Field(description="Workload, node or namespace; all by default")] = "",
        minutes: Annotated[float, Field(description="How far back", ge=5, le=10_080)] = 180,
        time: Moment = None,
    ) -> Annotated[CallToolResult, AskAnswer]:
        """Look for what is unusual: shifts, trends, spikes, saturation, odd ones among siblings."""
        scope = f" of {name}" if name else ""
        question = f"anomalies in {measure}{scope}" if measure else f"anything unusual{scope}"
        return await self._answered(f"{question} over the last {minutes:.0f} minutes", time)

    async def compare(
        self,
        measure: Annotated[str, Field(description="What to compare, for example: p95 latency")],
        names: Annotated[
            list[str],
            Field(description="Workloads, pods or nodes; empty: all services", max_length=20),
        ],
        earlier: Annotated[
            str, Field(description="Instead, compare now with then: 1h, yesterday")
        ] = "",
        time: Moment = None,
    ) -> Annotated[CallToolResult, AskAnswer]:
        """Compare things with each other, or now with an earlier time."""
        subject = " and ".join(names)
        if earlier:
            past = "yesterday" if earlier.strip() == "yesterday" else f"{earlier} ago"
            return await self._answered(
                f"{measure}{' of ' + subject if subject else ''} now vs {past}", time
            )
        question = (
            f"compare {measure} of {subject}"
            if subject
            else f"compare {measure} across all services"
        )
        return await self._answered(question, time)

    async def suggest_queries(
        self,
        like: Annotated[str, Field(description="Part of a name, perhaps misspelt")] = "",
        time: Moment = None,
    ) -> Annotated[CallToolResult, Suggestions]:
        """Tell questions that this Prometheus can answer, and names like a given one."""
        async with self._gate.place():
            catalogue = await self._questions.catalogue(moment_of(time))
        names = (
            nearest(like, None, catalogue)
            if like
            else tuple(sorted(catalogue.pods_of))[:MOST_SUGGESTED]
        )
        return told(
            Suggestions(questions=list(suggestions(catalogue, MOST_SUGGESTED)), names=list(names))
        )

    async def explain_query(
        self, query: Annotated[str, Field(description="PromQL expression", max_length=20_000)]
    ) -> Annotated[CallToolResult, Explanation]:
        """Say in words what a PromQL expression computes, and whether Prometheus can parse it."""
        async with self._gate.place():
            found = await explained(self._client, query)
        return told(
            Explanation(
                query=query,
                valid=found.error is None,
                error=found.error,
                sentences=list(found.sentences),
                unknown_metrics=list(found.unknown),
            )
        )

    async def _answered(self, question: str, time: str | float | None) -> CallToolResult:
        async with self._gate.place():
            moment = moment_of(time)
            answer = self._bounded(await self._questions.ask(question, moment))
        return told(answer, in_words(answer))

    def _bounded(self, reply: Reply) -> AskAnswer:
        result, left_off = list(reply.result), None
        if reply.result_type in {"vector", "matrix"}:
            result, left_off = answers.cut(result, self._limits)
        return AskAnswer(
            question=reply.question,
            promql=reply.promql,
            kind=reply.kind,
            start=reply.start,
            end=reply.end,
            step=reply.step,
            reading=reply.reading,
            unit=reply.unit,
            resultType=reply.result_type,
            result=result,
            leftOff=left_off,
            insights=list(reply.insights),
            error=reply.error,
            nearest=list(reply.nearest),
        )


def in_words(answer: AskAnswer) -> str:
    """Return an answer as the text of a tool's result."""
    if answer["error"]:
        near = "; nearest: " + ", ".join(answer["nearest"]) if answer["nearest"] else ""
        return f"cannot answer: {answer['error']}{near}"
    lines = [answer["reading"], f"PromQL: {answer['promql']}", *answer["insights"]]
    for series in answer["result"][:_TEXT_ROWS]:
        if not isinstance(series, dict):
            continue
        labels = ", ".join(f"{key}={value}" for key, value in series.get("metric", {}).items())
        last = (
            series["value"][1] if "value" in series else f"{len(series.get('values', ()))} points"
        )
        lines.append(f"{{{labels}}} {last} {answer['unit']}".rstrip())
    if len(answer["result"]) > _TEXT_ROWS:
        lines.append(f"and {len(answer['result']) - _TEXT_ROWS} more, in structuredContent")
    return "\n".join(lines)
