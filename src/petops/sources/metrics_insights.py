"""What a query of CloudWatch Metrics Insights measures: `SELECT MAX(m) FROM SCHEMA("N", D) ...`.

Pure, and lenient: what is not understood is left out, as an alarm is more than its query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_LONGEST: Final = 2048
_QUOTED_OR_PLAIN: Final = r'(?:"([^"]+)"|([\w./:-]+))'
_SELECTED: Final = re.compile(
    rf"\s*SELECT\s+\w+\s*\(\s*{_QUOTED_OR_PLAIN}\s*\)\s+FROM\s+(?:SCHEMA\s*\(\s*)?"
    rf"{_QUOTED_OR_PLAIN}",
    re.IGNORECASE,
)
_WHERE: Final = re.compile(
    r"\bWHERE\b(.*?)(?:\bGROUP\s+BY\b|\bORDER\s+BY\b|\bLIMIT\b|$)", re.I | re.S
)
_EQUAL: Final = re.compile(rf"{_QUOTED_OR_PLAIN}\s*=\s*'([^']*)'")
_EITHER: Final = re.compile(r"\bOR\b", re.IGNORECASE)
_TEXTS: Final = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """One metric of one namespace, and the dimensions that the query holds to one value."""

    metric: str
    namespace: str
    dimensions: Mapping[str, str] = field(default_factory=dict)


def selected(expression: object) -> Selected | None:
    """Return what a query selects, or None where the expression is no query."""
    if not isinstance(expression, str) or len(expression) > _LONGEST:
        return None
    found = _SELECTED.match(expression)
    if found is None:
        return None
    where = _WHERE.search(expression, found.end())
    told = where[1] if where else ""
    fixed = {} if _EITHER.search(_TEXTS.sub("", told)) else _fixed(told)
    return Selected(metric=found[1] or found[2], namespace=found[3] or found[4], dimensions=fixed)


def _fixed(conditions: str) -> dict[str, str]:
    return {one[1] or one[2]: one[3] for one in _EQUAL.finditer(conditions)}
