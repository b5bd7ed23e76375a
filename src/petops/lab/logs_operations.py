"""CloudWatch Logs: groups, streams, events and queries of the lab."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from petops.domain.subject import ClusterName
from petops.lab.aws_json import Operation
from petops.lab.aws_requests import AwsRefusalError, Given, token, token_position
from petops.lab.log_events import LogEvent, LogGroups, ordered
from petops.lab.log_patterns import matcher
from petops.lab.logs_language import Command, commands
from petops.lab.logs_query import Found, run

Json = dict[str, Any]

WRONG: Final = "InvalidParameterException"
_NO_GROUP: Final = "ResourceNotFoundException"
_FAR: Final = 4_000_000_000_000
_MOST_EVENTS: Final = 10_000
_MOST_SCANNED: Final = 400_000
_MOST_QUERIES: Final = 100
_MOST_GROUPS: Final = 50
_MILLISECONDS: Final = 100_000_000_000


@dataclass(slots=True, kw_only=True)
class _Query:
    """One query that was started; it is run when its results are asked for."""

    commands: Sequence[Command]
    groups: Sequence[str]
    start: float
    end: float
    limit: int
    status: str = "Scheduled"
    found: Found | None = None


class LogsOperations:
    """Answers over the groups of one cluster."""

    def __init__(self, groups: LogGroups, cluster: ClusterName, now: Callable[[], float]) -> None:
        self._groups, self._cluster, self._now = groups, cluster, now
        self._queries: OrderedDict[str, _Query] = OrderedDict()

    def served(self) -> Mapping[str, Operation]:
        """Return the operations by their names."""
        made: Mapping[str, Callable[[Given], Json]] = {
            "DescribeLogGroups": self.groups,
            "DescribeLogStreams": self.streams,
            "FilterLogEvents": self.filtered,
            "GetLogEvents": self.events,
            "StartQuery": self.start,
            "StopQuery": self.stop,
        }
        read = {name: _reading(answer) for name, answer in made.items()}
        return {**read, "GetQueryResults": self._results}

    def groups(self, given: Given) -> Json:
        """Answer DescribeLogGroups."""
        prefix, part = given.text("logGroupNamePrefix", ""), given.text("logGroupNamePattern", "")
        found = [name for name in self._groups.names if name.startswith(prefix) and part in name]
        size = given.integer("limit", 1, 50, 50)
        start = token_position(given.text("nextToken"), WRONG) if "nextToken" in given else 0
        shown = found[start : start + size]
        made: Json = {"logGroups": [self._group(name) for name in shown]}
        more = start + size < len(found)
        return made | ({"nextToken": token(start + size)} if more else {})

    def streams(self, given: Given) -> Json:
        """Answer DescribeLogStreams."""
        group = self._named(given)
        prefix = given.text("logStreamNamePrefix", "")
        found = [
            {
                "logStreamName": name,
                "creationTime": int(first * 1000),
                "firstEventTimestamp": int(first * 1000),
                "lastEventTimestamp": int(last * 1000),
                "lastIngestionTime": int(last * 1000),
                "arn": f"{self._arn(group)}:log-stream:{name}",
                "storedBytes": 0,
            }
            for name, (first, last) in sorted(self._groups.streams(group).items())
            if name.startswith(prefix)
        ]
        size = given.integer("limit", 1, 50, 50)
        start = token_position(given.text("nextToken"), WRONG) if "nextToken" in given else 0
        made: Json = {"logStreams": found[start : start + size]}
        more = start + size < len(found)
        return made | ({"nextToken": token(start + size)} if more else {})

    def filtered(self, given: Given) -> Json:
        """Answer FilterLogEvents, oldest first."""
        group, matches = self._named(given), matcher(given.text("filterPattern", ""))
        names = set(given.texts("logStreamNames", 100))
        prefix = given.text("logStreamNamePrefix", "")
        if names and prefix:
            raise given.refuse("logStreamNames and logStreamNamePrefix exclude each other")
        found = [
            event
            for event in self._read([group], *self._window(given))
            if (not names or event.stream in names)
            and event.stream.startswith(prefix)
            and matches(event.message)
        ]
        size = given.integer("limit", 1, _MOST_EVENTS, _MOST_EVENTS)
        start = token_position(given.text("nextToken"), WRONG) if "nextToken" in given else 0
        shown = ordered(found)[start : start + size]
        made: Json = {
            "events": [
                {**_event(one), "logStreamName": one.stream, "eventId": one.id} for one in shown
            ],
            "searchedLogStreams": [],
        }
        more = start + size < len(found)
        return made | ({"nextToken": token(start + size)} if more else {})

    def events(self, given: Given) -> Json:
        """Answer GetLogEvents: from the newest on, unless told to begin at the head."""
        group, stream = self._named(given), given.text("logStreamName")
        if stream not in self._groups.streams(group):
            raise AwsRefusalError(_NO_GROUP, "The specified log stream does not exist.")
        window = self._window(given)
        found = ordered(one for one in self._read([group], *window) if one.stream == stream)
        size = given.integer("limit", 1, _MOST_EVENTS, _MOST_EVENTS)
        start = 0 if given.flag("startFromHead", False) else max(len(found) - size, 0)
        if "nextToken" in given:
            way, _, rest = given.text("nextToken").partition("/")
            position = token_position(rest, WRONG)
            start = position if way == "f" else max(position - size, 0)
            found = found if way == "f" else found[:position]
        shown = found[start : start + size]
        return {
            "events": [_event(one) for one in shown],
            "nextForwardToken": "f/" + token(start + len(shown)),
            "nextBackwardToken": "b/" + token(start),
        }

    def start(self, given: Given) -> Json:
        """Answer StartQuery: what is wrong with a query is said now."""
        names = [given.text("logGroupName", "")] if "logGroupName" in given else []
        names += given.texts("logGroupNames", _MOST_GROUPS)
        names += given.texts("logGroupIdentifiers", _MOST_GROUPS)
        if not names:
            raise given.refuse("One of logGroupName, logGroupNames or identifiers is required")
        groups = [self._known(name) for name in names]
        start, end = _seconds(given.number("startTime")), _seconds(given.number("endTime"))
        if start > end:
            raise given.refuse("End time should not be before the start time")
        query_id = str(uuid.uuid4())
        self._queries[query_id] = _Query(
            commands=commands(given.text("queryString")),
            groups=groups,
            start=start,
            end=end + 1,
            limit=given.integer("limit", 1, _MOST_EVENTS, 1000),
        )
        while len(self._queries) > _MOST_QUERIES:
            self._queries.popitem(last=False)
        return {"queryId": query_id}

    def stop(self, given: Given) -> Json:
        """Answer StopQuery."""
        query = self._query(given)
        if query.found is not None or query.status == "Cancelled":
            raise given.refuse("Query is not running")
        query.status = "Cancelled"
        return {"success": True}

    async def results(self, given: Given) -> Json:
        """Answer GetQueryResults; the first to ask has the query run, in a thread of its own."""
        query = self._query(given)
        if query.status == "Scheduled":
            query.status = "Running"
            events = self._read(query.groups, query.start, query.end)
            try:
                query.found = await asyncio.to_thread(run, query.commands, events, query.limit)
            finally:
                if query.status == "Running":
                    query.status = "Failed" if query.found is None else "Complete"
        return _shown(query)

    async def _results(self, body: Mapping[str, Any]) -> Json:
        return await self.results(Given(body, WRONG))

    def _read(self, groups: Sequence[str], start: float, end: float) -> list[LogEvent]:
        """Return the events of some groups; a window with too many is cut, oldest kept."""
        found = [event for group in groups for event in self._groups.events(group, start, end)]
        return found if len(found) <= _MOST_SCANNED else ordered(found)[:_MOST_SCANNED]

    def _query(self, given: Given) -> _Query:
        query = self._queries.get(given.text("queryId"))
        if query is None:
            raise AwsRefusalError(_NO_GROUP, "Query ID not found")
        return query

    def _window(self, given: Given) -> tuple[float, float]:
        low = given.number("startTime", 0) / 1000
        high = given.number("endTime", _FAR) / 1000
        if low > high:
            raise given.refuse("startTime must not be after endTime")
        return max(low, 0.0), min(high, self._now()) + 0.001

    def _named(self, given: Given) -> str:
        name = given.text("logGroupName", "") or given.text("logGroupIdentifier", "")
        return self._known(name)

    def _known(self, name: str) -> str:
        own = name.removesuffix(":*").rpartition(":log-group:")[2]
        if own not in self._groups:
            raise AwsRefusalError(_NO_GROUP, "The specified log group does not exist.")
        return own

    def _group(self, name: str) -> Json:
        arn = self._arn(name)
        return {
            "logGroupName": name,
            "creationTime": int((self._now() - 9 * 86400) * 1000),
            "metricFilterCount": 0,
            "arn": arn + ":*",
            "logGroupArn": arn,
            "logGroupClass": "STANDARD",
            "storedBytes": 0,
        }

    def _arn(self, name: str) -> str:
        place = self._cluster
        return f"arn:aws:logs:{place.region}:{place.account}:log-group:{name}"


def _reading(answer: Callable[[Given], Json]) -> Operation:
    return lambda body: answer(Given(body, WRONG))


def _seconds(at: float) -> float:
    """Return a time that was given in seconds, or in milliseconds as some clients do."""
    return at / 1000 if at > _MILLISECONDS else at


def _event(one: LogEvent) -> Json:
    at = int(one.at * 1000)
    return {"timestamp": at, "message": one.message, "ingestionTime": at}


def _shown(query: _Query) -> Json:
    found = query.found
    counted = (found.matched, found.scanned, found.scanned_bytes) if found else (0, 0, 0)
    return {
        "queryLanguage": "CWLI",
        "status": query.status,
        "results": [
            [{"field": name, "value": value} for name, value in row]
            for row in (found.rows if found else ())
        ],
        "statistics": {
            "recordsMatched": float(counted[0]),
            "recordsScanned": float(counted[1]),
            "bytesScanned": float(counted[2]),
        },
    }
