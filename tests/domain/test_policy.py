"""Who may approve what, where; when nothing is changed; and what the settings say of it."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from petops.domain.freezes import Freeze
from petops.domain.policy import (
    OURSELVES,
    Account,
    ApprovalRule,
    Identity,
    Person,
    Rules,
    approvers_needed,
    may_approve,
)
from petops.domain.policy_tables import approval_rules, freezes, people
from petops.errors import UsageError

ANA = Identity(user="ana", channel="slack")
SATURDAY = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def allowed(rules: Rules, by: Identity = ANA, **changed: str) -> bool:
    what = {"remedy": "restart-workload", "risk": "green", "namespace": "shop"} | changed
    return may_approve(by, rules, **what) is None


def test_without_rules_everybody_who_is_known_may() -> None:
    assert allowed(Rules(), risk="red", namespace="")


def test_rules_name_people_groups_places_remedies_and_risks() -> None:
    rules = Rules(
        approvals=(
            ApprovalRule(users=("ana",), namespaces=("shop-*", "shop"), risks=("green",)),
            ApprovalRule(groups=("sre",), remedies=("cordon-*", "drain-node")),
        ),
        people=(Person(user="bob", kubernetes_user="bob@x", groups=("sre",)),),
    )
    bob = Identity(user="bob", channel="token")
    assert allowed(rules)
    assert allowed(rules, namespace="shop-eu")
    assert not allowed(rules, namespace="bank")
    assert not allowed(rules, risk="yellow")
    assert not allowed(rules, bob)
    assert allowed(rules, bob, remedy="drain-node", risk="red", namespace="")
    assert not allowed(rules, remedy="drain-node", risk="red", namespace="")
    assert allowed(rules, Identity(user="eve", channel="token", groups=("sre",)), remedy="cordon-x")


def test_a_refusal_names_who_may() -> None:
    rules = Rules(approvals=(ApprovalRule(users=("bob",), groups=("sre",)),))
    refusal = may_approve(ANA, rules, remedy="x", risk="red", namespace="")
    assert str(refusal) == "ana may not approve red changes to nodes (ask bob, sre)"
    rules = Rules(approvals=(ApprovalRule(users=("bob",), risks=("green",)),))
    refusal = may_approve(ANA, rules, remedy="x", risk="red", namespace="shop")
    assert "names nobody" in str(refusal)


def test_red_takes_two() -> None:
    assert [approvers_needed(risk) for risk in ("green", "yellow", "red")] == [1, 1, 2]


def test_whose_permissions_count() -> None:
    person = Person(user="U1", channel="slack", kubernetes_user="ana", kubernetes_groups=("dev",))
    rules = Rules(people=(person, *OURSELVES))
    assert rules.account_of(Identity(user="U1", channel="slack")) == Account(
        user="ana", groups=("dev",)
    )
    assert rules.account_of(Identity(user="U2", channel="slack")) == Account(user="U2")
    assert rules.account_of(Identity(user="arn:aws:x", channel="socket")) is None
    assert rules.account_of(Identity(user="api", channel="token")) is None
    assert rules.account_of(Identity(user="api", channel="slack")) == Account(user="api")


@pytest.mark.parametrize(
    ("now", "held"),
    [
        (SATURDAY, True),
        (SATURDAY + timedelta(days=2), False),
        (SATURDAY.replace(hour=23), True),
        (SATURDAY.replace(hour=3), False),
        (SATURDAY + timedelta(hours=14), True),
        (SATURDAY + timedelta(hours=20), False),
    ],
)
def test_a_weekly_freeze_goes_on_past_midnight(now: datetime, held: bool) -> None:
    freeze = Freeze(name="w", days=("sat",), opens=time(8), closes=time(4))
    assert freeze.holds(now, "shop") is held


def test_a_freeze_holds_where_and_while_it_says() -> None:
    freeze = Freeze(name="r", namespaces=("shop*",), start=SATURDAY, end=SATURDAY + timedelta(1))
    assert freeze.holds(SATURDAY, "shop-eu")
    assert not freeze.holds(SATURDAY, "bank")
    assert not freeze.holds(SATURDAY, "")
    assert not freeze.holds(SATURDAY - timedelta(seconds=1), "shop")
    assert not freeze.holds(SATURDAY + timedelta(days=1), "shop")
    assert Freeze(name="always", opens=time(0), closes=time(0)).holds(SATURDAY, "")


SETTINGS = """
[[approval]]
groups = ["sre"]
risks = ["green", "yellow"]
[[person]]
user = "U1"
channel = "slack"
kubernetes_user = "ana@example.com"
[[freeze]]
name = "weekend"
days = ["sat", "sun"]
[[freeze]]
name = "release"
start = 2026-12-20
end = 2026-12-27T08:00:00+01:00
namespaces = ["shop"]
"""


def test_the_settings_are_read() -> None:
    document = tomllib.loads(SETTINGS)
    (rule,) = approval_rules(document["approval"])
    assert rule == ApprovalRule(groups=("sre",), risks=("green", "yellow"))
    (person,) = people(document["person"])
    assert person.kubernetes_user == "ana@example.com"
    weekend, release = freezes(document["freeze"])
    assert weekend.holds(SATURDAY, "anywhere")
    assert release.end == datetime(2026, 12, 27, 7, 0, tzinfo=UTC)
    assert release.start == datetime(2026, 12, 20, tzinfo=UTC)


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (approval_rules, {"risks": ["purple"]}, "purple is no risk"),
    (approval_rules, {"groups": "sre"}, "list of texts"),
    (approval_rules, {"role": "sre"}, "role is none of"),
    (people, {"user": "U1"}, "kubernetes_user is missing"),
    (freezes, {"name": "x"}, "says no time"),
    (freezes, {"name": "x", "days": ["caturday"]}, "caturday is no day"),
    (freezes, {"name": "x", "opens": "8"}, "time of day"),
    (freezes, {"name": "x", "start": "now"}, "must be a date"),
]


@pytest.mark.parametrize(("made", "table", "why"), BAD)
def test_nonsense_is_told_in_one_sentence(made: Any, table: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why) as raised:
        made([table])
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("for example")
