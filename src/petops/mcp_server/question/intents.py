"""What can be asked: the measures, the forms, and a question that is understood. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from petops.mcp_server.question.entities import Entity
from petops.mcp_server.question.sentence import Figure, Sentence
from petops.mcp_server.question.time_range import Times


class Measure(StrEnum):
    """What can be measured."""

    MEMORY = "memory"
    CPU = "cpu"
    THROTTLING = "cpu throttling"
    NETWORK = "network traffic"
    RESTARTS = "restarts"
    OOM = "OOM kills"
    EVICTIONS = "evictions"
    REQUESTS = "requests"
    ERRORS = "errors"
    ERROR_RATIO = "error ratio"
    SUCCESS = "success ratio"
    LATENCY = "latency"
    DISK_IO = "disk io"
    DISK_SPACE = "disk space"
    LOAD = "load"
    CONDITION = "node condition"
    REPLICAS = "replicas"
    HPA = "autoscaler replicas"
    COUNT = "count"
    METRIC = "metric"
    GENERAL = "anything"


class Form(StrEnum):
    """What is asked about the measure."""

    VALUE = "value"
    LIMIT = "limit"
    REQUEST = "request"
    SHARE = "share of limit"
    REQUEST_SHARE = "share of request"
    HEADROOM = "headroom"
    GROWTH = "growth"
    FORECAST = "forecast"
    RUN_OUT = "time until the limit"
    ANOMALY = "anomalies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A bound that results must pass."""

    sign: str
    figure: Figure
    most: Figure | None = None  # of `between 50% and 80%`


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A question, understood."""

    measure: Measure
    form: Form
    sentence: Sentence
    times: Times
    entities: tuple[Entity, ...] = ()
    by: tuple[str, ...] = ()
    top: int | None = None
    ascending: bool = False
    threshold: Threshold | None = None
    aggregate: str = ""  # avg, max, min, quantile or sum, over time or over all that is asked about
    counted: bool = False
    compared: bool = False
    notes: tuple[str, ...] = field(default=())
