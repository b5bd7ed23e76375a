"""What steps answer about requests on their way: traces, the service graph, log lines.

For surfaces: an incident's `answers` hold these by the step's name, each in `answer.fact`:
`slow-traces` has `SlowTraces` (its `waterfalls` are ready to draw), `service-map` has `ServiceMap`
(nodes and edges), `trouble-spot` has `TroubleSpot` (whom the graph's readings point at),
`log-lines` has `LogExcerpt`. A step that is not there, or stands in `unknowns`, was not answered.
A second round of questions, about another workload, has its steps with `there-` before their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from petops.domain.subject import Subject
from petops.domain.traces import LogLine, ServiceEdge, TraceSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a waterfall: what a service did, a step of it, or a call that it waited for.

    `start_seconds` counts from the trace's start, `own_seconds` is what no bar below explains.
    """

    id: str
    service: str
    name: str
    depth: int
    start_seconds: float
    seconds: float
    own_seconds: float
    is_call: bool = False
    has_fault: bool = False
    pod: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """One whole request, bar by bar, callers before those whom they called.

    `guilty` is the id of the bar to look at: the deepest that failed, else the one with most time
    of its own. `left_out` bars are too short to be drawn. `has_holes` where segments are missing,
    cut off or under way.
    """

    trace: str
    started_at: datetime | None
    seconds: float
    bars: tuple[Bar, ...]
    guilty: str = ""
    left_out: int = 0
    has_holes: bool = False

    @property
    def guilty_bar(self) -> Bar | None:
        """The bar to look at, if there is any."""
        return next((one for one in self.bars if one.id == self.guilty), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAt:
    """Where the requests' time went: at one service, in one of its pods where those are known.

    Means in seconds a request; `own_seconds` is without the calls that it waited for. `own_faults`
    are failures that no failed call explains.
    """

    service: str
    pod: str = ""
    namespace: str = ""
    requests: int
    seconds: float
    own_seconds: float
    own_faults: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowTraces:
    """Requests through one service: the slowest lately, and where the time went, then and now.

    `service` is what X-Ray calls the alarm's workload. `lately` and `before` are a fair sample;
    `worst_times` are of the slowest and of those that failed. `looked_at` is how many were read.
    """

    service: str
    slow: tuple[TraceSummary, ...] = ()
    waterfalls: tuple[Waterfall, ...] = ()
    lately: tuple[TimeAt, ...] = ()
    before: tuple[TimeAt, ...] = ()
    worst_times: tuple[TimeAt, ...] = ()
    looked_at: int = 0
    slower_than_seconds: float | None = None

    @property
    def seen(self) -> tuple[TimeAt, ...]:
        """Every service and pod that any of the requests lately went through."""
        return (*self.worst_times, *self.lately)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """One service of the graph, lately and before. None is 'not counted', never zero."""

    service: str
    kind: str = ""
    is_root: bool = False
    requests: int = 0
    faults: int = 0
    mean_seconds: float | None = None
    own_seconds: float | None = None
    before_requests: int = 0
    before_faults: int = 0
    before_mean_seconds: float | None = None
    before_own_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMap:
    """Who calls whom. `alarmed` is the service that the alarm is about; empty where none is."""

    alarmed: str
    nodes: tuple[MapNode, ...]
    edges: tuple[ServiceEdge, ...]

    def node(self, service: str) -> MapNode | None:
        """Return a service of the graph."""
        return next((one for one in self.nodes if one.service == service), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRank:
    """One service's part in what the alarmed one shows; see `playbooks/localisation.py`."""

    service: str
    subject: Subject | None = None
    excess: float | None = None
    limit: float = 0.0
    share_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleSpot:
    """Which service causes what the alarmed one shows; `cause` is empty where none is named."""

    alarmed: str
    symptom: str
    cause: str
    subject: Subject | None
    why: str
    ranking: tuple[SpotRank, ...] = ()
    unmeasured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogExcerpt:
    """Lines that containers wrote around the failure, oldest first; `is_cut` says of more."""

    around: datetime
    lines: tuple[LogLine, ...]
    is_cut: bool = False
