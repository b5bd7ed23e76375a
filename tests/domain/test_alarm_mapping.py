"""Which object an alarm is about."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petops.domain.alarm_mapping import (
    AlarmMapping,
    Mapped,
    MappingRule,
    Named,
    by_dimensions,
    by_labels,
    cluster_of,
    filled,
    mapped,
)
from petops.domain.subject import ClusterName, Kind, Subject

HERE = ClusterName(name="shop", account="111122223333", region="us-east-1")
IN = {"ClusterName": "shop", "Namespace": "default"}


def named(kind: Kind, name: str, namespace: str = "default") -> Named:
    return Named(kind=kind, name=name, namespace=namespace)


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [
        (IN | {"PodName": "checkout"}, named(Kind.DEPLOYMENT, "checkout")),
        (
            IN | {"PodName": "checkout", "FullPodName": "checkout-7f74966dfb-dhxfs"},
            named(Kind.POD, "checkout-7f74966dfb-dhxfs"),
        ),
        (
            IN | {"PodName": "checkout-7f74966dfb-dhxfs"},
            named(Kind.POD, "checkout-7f74966dfb-dhxfs"),
        ),
        (IN | {"PodName": "order-history-py"}, named(Kind.DEPLOYMENT, "order-history-py")),
        (IN | {"Service": "catalog"}, named(Kind.SERVICE, "catalog")),
        (
            {
                "ClusterName": "shop",
                "NodeName": "ip-10-0-1-10.ec2.internal",
                "InstanceId": "i-0abc",
            },
            named(Kind.NODE, "ip-10-0-1-10.ec2.internal", ""),
        ),
        ({"ClusterName": "shop", "InstanceId": "i-0abc"}, named(Kind.NODE, "i-0abc", "")),
        (
            {"namespace": "default", "pod": "a", "deployment": "b"},
            named(Kind.DEPLOYMENT, "b"),
        ),
        ({"InstanceId": "i-0abc"}, "its dimensions (InstanceId) name no object"),
        ({"LoadBalancer": "app/x/1"}, "its dimensions (LoadBalancer) name no object"),
        ({}, "it has no dimensions"),
    ],
)
def test_dimensions(dimensions: dict[str, str], expected: Named | str) -> None:
    assert by_dimensions(dimensions, "ContainerInsights") == expected


def test_application_signals_name_a_workload_by_its_service() -> None:
    dimensions = {"Environment": "eks:shop/default", "Service": "checkout", "Operation": "GET /"}
    found = by_dimensions(dimensions, "ApplicationSignals")
    assert found == named(Kind.DEPLOYMENT, "checkout")
    assert cluster_of(dimensions, HERE).name == "shop"


KSM = {
    "job": "kube-state-metrics",
    "container": "kube-state-metrics",
    "pod": "kube-state-metrics-6d8f7c5b4-x2x2x",
    "service": "kube-state-metrics",
}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"namespace": "default", "deployment": "a"}, named(Kind.DEPLOYMENT, "a")),
        ({"namespace": "default", "statefulset": "a", "pod": "a-0"}, named(Kind.STATEFUL_SET, "a")),
        ({"namespace": "default", "daemonset": "a"}, named(Kind.DAEMON_SET, "a")),
        ({"namespace": "default", "job_name": "a", "job": "x"}, named(Kind.JOB, "a")),
        ({"namespace": "default", "pod": "a", "service": "b"}, named(Kind.POD, "a")),
        ({"namespace": "default", "service": "b"}, named(Kind.SERVICE, "b")),
        ({"node": "n"}, named(Kind.NODE, "n", "")),
        (  # KubePersistentVolumeFillingUp, of kubernetes-mixin
            {
                "namespace": "default",
                "persistentvolumeclaim": "data-orders-0",
                "node": "n",
                "service": "kubelet",
                "job": "kubelet",
            },
            named(Kind.VOLUME_CLAIM, "data-orders-0"),
        ),
        (KSM | {"namespace": "default", "deployment": "a"}, named(Kind.DEPLOYMENT, "a")),
        (KSM | {"namespace": "monitoring", "node": "n"}, named(Kind.NODE, "n", "monitoring")),
        (
            KSM | {"namespace": "monitoring", "exported_namespace": "default", "exported_pod": "a"},
            named(Kind.POD, "a"),
        ),
        (
            {"namespace": "monitoring", "exported_namespace": "default", "exported_pod": "a"},
            named(Kind.POD, "a"),
        ),
        (
            {"namespace": "default", "workload": "a", "workload_type": "statefulset"},
            named(Kind.STATEFUL_SET, "a"),
        ),
        ({"job": "prometheus"}, "its labels (job) name no object"),
    ],
)
def test_labels(labels: dict[str, str], expected: Named | str) -> None:
    assert by_labels(labels) == expected


def subject(kind: Kind, name: str, namespace: str = "default") -> Subject:
    return Subject(cluster=HERE, kind=kind, name=name, namespace=namespace)


def test_what_is_named_comes_before_a_rule() -> None:
    rules = (MappingRule(kind=Kind.DEPLOYMENT, name="fallback", namespace="default"),)
    mapping = AlarmMapping(here=HERE, rules=rules)
    found = mapped("a", named(Kind.POD, "x"), {}, HERE, mapping)
    assert found == Mapped(subject=subject(Kind.POD, "x"))
    found = mapped("a", "it has no labels", {}, HERE, mapping)
    assert found == Mapped(subject=subject(Kind.DEPLOYMENT, "fallback"))


def test_a_rule_fits_by_name_and_labels() -> None:
    rule = MappingRule(
        kind=Kind.NODE, name="n", alarm="disk-*", labels=(("team", "a"), ("tier", "b"))
    )
    assert rule.fits("disk-full", {"team": "a", "tier": "b", "more": "c"})
    assert not rule.fits("disk-full", {"team": "a"})
    assert not rule.fits("the-disk-full", {"team": "a", "tier": "b"})


@pytest.mark.parametrize(
    ("what", "rules", "why"),
    [
        ("it has no labels", (), "it has no labels, and no mapping rule fits"),
        (named(Kind.POD, "x", ""), (), "names the Pod x without a namespace"),
        (named(Kind.POD, "x; rm -rf /"), (), "not a name that Kubernetes admits"),
        ("?", (MappingRule(kind=Kind.POD, name="X", namespace="a"),), "the mapping rule for '*'"),
        ("?", (MappingRule(kind=Kind.POD, name="x"),), "without a namespace"),
    ],
)
def test_why_an_alarm_is_mapped_to_nothing(
    what: Named | str, rules: tuple[MappingRule, ...], why: str
) -> None:
    found = mapped("a", what, {}, HERE, AlarmMapping(here=HERE, rules=rules))
    assert found.subject is None
    assert why in found.why


def test_gaps_of_a_cluster_are_filled_only_from_the_same_one() -> None:
    assert cluster_of({}, HERE) == HERE
    assert cluster_of({"cluster": "shop"}, HERE) == HERE
    other = cluster_of({"cluster": "other"}, HERE)
    assert (other.name, other.account) == ("other", "")
    arn = "arn:aws:eks:us-east-1:111122223333:cluster/shop"
    assert cluster_of({"cluster": arn}, HERE) == HERE
    elsewhere = ClusterName(name="", account="999999999999")
    assert filled(elsewhere, HERE) == elsewhere


texts = st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=6)


@settings(deadline=None)
@given(texts, st.text(max_size=20))
def test_any_dimensions_and_labels_are_mapped_or_say_why(labels: dict[str, str], name: str) -> None:
    for what in (by_dimensions(labels, name), by_labels(labels)):
        found = mapped(name, what, labels, cluster_of(labels, HERE), AlarmMapping())
        assert (found.subject is None) == bool(found.why)
