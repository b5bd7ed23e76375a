"""Who calls whom in Pet Adoptions: what one request at the shop's front sets off, call by call.

The routes add up to `application.REQUESTS_FOR_EACH`. A caller waits for each of its calls, one
after the other. Where a call is `essential` the caller's own answer is a 5xx when the call fails;
else it goes on without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from petops.errors import UsageError

FRONT: Final = "petsite"
GENERATOR: Final = "traffic-generator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something outside of the cluster: it has no segments of its own, only its callers' view."""

    name: str
    origin: str
    namespace: str
    operation: str
    resource: str
    median_seconds: float
    fault_ratio: float = 0.0002


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that an operation makes."""

    to: Operation | Dependency
    essential: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a service does for one kind of request."""

    service: str
    method: str
    path: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A kind of request at the front, and its share of all of them."""

    share_ratio: float
    front: Operation


DYNAMODB: Final = Dependency(
    name="DynamoDB",
    origin="AWS::DynamoDB::Table",
    namespace="aws",
    operation="UpdateItem",
    resource="petadoptions",
    median_seconds=0.006,
)
SQS: Final = Dependency(
    name="SQS",
    origin="AWS::SQS::Queue",
    namespace="aws",
    operation="SendMessage",
    resource="petadoptions-queue",
    median_seconds=0.009,
)
DATABASE: Final = Dependency(
    name="adoptions@petadoptions-db.cluster-c1x9k2.us-east-1.rds.amazonaws.com",
    origin="Database::SQL",
    namespace="remote",
    operation="SELECT",
    resource="adoptions",
    median_seconds=0.012,
)
_WRITE_HISTORY: Final = Operation(
    service="petadoptionshistory-py", method="POST", path="/petadoptionshistory/api/adoption"
)
_READ_HISTORY: Final = Operation(
    service="petadoptionshistory-py", method="GET", path="/petadoptionshistory/api/history"
)
_PAY: Final = Operation(
    service="payforadoption-go",
    method="POST",
    path="/api/home/completeadoption",
    calls=(Call(to=DYNAMODB), Call(to=SQS), Call(to=_WRITE_HISTORY, essential=False)),
)
_LIST: Final = Operation(
    service="petlistadoptions-go",
    method="GET",
    path="/api/adoptionlist/",
    calls=(Call(to=DATABASE),),
)
_SEARCH: Final = Operation(service="petsearch-java", method="GET", path="/api/search")
_TAKE: Final = Operation(
    service="petsearch-java", method="POST", path="/api/take", calls=(Call(to=_PAY),)
)


def _front(method: str, path: str, *calls: Call) -> Operation:
    return Operation(service=FRONT, method=method, path=path, calls=calls)


_FOUND, _LISTED = Call(to=_SEARCH), Call(to=_LIST, essential=False)
ROUTES: Final = (
    Route(share_ratio=0.35, front=_front("GET", "/", _FOUND, _LISTED)),
    Route(share_ratio=0.15, front=_front("GET", "/?selectedPetType=puppy", _FOUND, _FOUND)),
    Route(share_ratio=0.25, front=_front("POST", "/Payment/MakePayment", _FOUND, Call(to=_TAKE))),
    Route(
        share_ratio=0.25,
        front=_front("GET", "/PetHistory", _FOUND, _LISTED, Call(to=_READ_HISTORY)),
    ),
)


def walk(operation: Operation) -> Iterator[Operation]:
    """Yield an operation and all that it sets off in the cluster, callers first."""
    yield operation
    for call in operation.calls:
        if isinstance(call.to, Operation):
            yield from walk(call.to)


def with_copies(services: Iterable[str]) -> tuple[Route, ...]:
    """Return the routes, and once more for each copy of the shop whose front is `petsite-N`."""
    found = list(ROUTES)
    for name in services:
        stem, _, number = name.rpartition("-")
        if stem == FRONT and number.isdigit():
            found += [replace(one, front=_renamed(one.front, f"-{number}")) for one in ROUTES]
    return tuple(found)


def impaired(
    routes: Iterable[Route], name: str, *, slower: float, fault_ratio: float
) -> tuple[Route, ...]:
    """Return the routes with one dependency `slower` times as slow, which fails so often.

    Raise UsageError where nobody calls one of that name.
    """
    every = tuple(routes)
    known = {call.to for route in every for one in walk(route.front) for call in one.calls}
    names = {one.name: one for one in known if isinstance(one, Dependency)}
    if name not in names:
        raise UsageError(f"nobody calls {name[:80]!r}", hint=f"known: {', '.join(sorted(names))}")
    was = names[name]
    now = replace(was, median_seconds=was.median_seconds * slower, fault_ratio=fault_ratio)
    return tuple(replace(one, front=_with(one.front, name, now)) for one in every)


def _with(operation: Operation, name: str, now: Dependency) -> Operation:
    def changed(to: Operation | Dependency) -> Operation | Dependency:
        if isinstance(to, Operation):
            return _with(to, name, now)
        return now if to.name == name else to

    calls = tuple(replace(call, to=changed(call.to)) for call in operation.calls)
    return replace(operation, calls=calls)


def _renamed(operation: Operation, suffix: str) -> Operation:
    calls = tuple(
        replace(call, to=_renamed(call.to, suffix)) if isinstance(call.to, Operation) else call
        for call in operation.calls
    )
    return replace(operation, service=operation.service + suffix, calls=calls)


def requests_for_each(routes: Iterable[Route] = ROUTES) -> Mapping[str, float]:
    """Return how many requests each service gets for each one at the front."""
    found: dict[str, float] = {}
    for route in routes:
        for operation in walk(route.front):
            found[operation.service] = found.get(operation.service, 0.0) + route.share_ratio
    return found
