"""Category and priority of an alarm, and that its text decides nothing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from petops.domain.alarm import Alarm, AlarmSource, AlarmState, Category, Environment, Priority
from petops.domain.assessment import AssessmentRules, CategoryRule, assess
from petops.domain.subject import ClusterName, Kind, Subject

CLUSTER = ClusterName(name="shop")
CHECKOUT = Subject(cluster=CLUSTER, kind=Kind.DEPLOYMENT, namespace="default", name="checkout")
ALARM = Alarm(
    name="a",
    source=AlarmSource.CLOUDWATCH,
    fingerprint="f",
    event_id="e",
    state=AlarmState.ALARM,
    cluster=CLUSTER,
    started_at=datetime(2026, 11, 23, tzinfo=UTC),
    subject=CHECKOUT,
)
RULES = AssessmentRules()


@pytest.mark.parametrize(
    ("metric", "category"),
    [
        ("pod_memory_utilization_over_pod_limit", Category.MEMORY),
        ("container_memory_working_set_bytes", Category.MEMORY),
        ("container_oom_events_total", Category.MEMORY),
        ("pod_number_of_container_restarts", Category.RESTARTS),
        ("kube_pod_container_status_restarts_total", Category.RESTARTS),
        ("pod_cpu_utilization", Category.CPU),
        ("container_cpu_cfs_throttled_periods_total", Category.CPU),
        ("http_request_duration_seconds_bucket", Category.LATENCY),
        ("TargetResponseTime", Category.LATENCY),
        ("Latency", Category.LATENCY),
        ("request_p99", Category.LATENCY),
        ("http_requests_errors_total", Category.ERRORS),
        ("HTTPCode_Target_5XX_Count", Category.ERRORS),
        ("Fault", Category.ERRORS),
        ("node_memory_utilization", Category.NODE),
        ("node_filesystem_avail_bytes", Category.NODE),
        ("kube_deployment_status_replicas_unavailable", Category.AVAILABILITY),
        ("UnHealthyHostCount", Category.AVAILABILITY),
        ("pods_ready", Category.AVAILABILITY),
        ("namespace_number_of_running_pods", Category.AVAILABILITY),
        ("kube_pod_status_unschedulable", Category.AVAILABILITY),
        ("cluster_failed_node_count", Category.NODE),
        ("orders_placed_total", Category.OTHER),
        ("", Category.OTHER),
    ],
)
def test_the_metric_tells_the_category(metric: str, category: Category) -> None:
    told = assess(replace(ALARM, metric=metric), RULES)
    assert told.category is category
    assert str(category) in told.because


@pytest.mark.parametrize(
    ("alertname", "category"),
    [
        ("KubePodCrashLooping", Category.RESTARTS),
        ("KubePodNotReady", Category.AVAILABILITY),
        ("CPUThrottlingHigh", Category.CPU),
        ("KubernetesContainerOomKiller", Category.MEMORY),
        ("KubeNodeNotReady", Category.NODE),
        ("TargetDown", Category.AVAILABILITY),
        ("Watchdog", Category.OTHER),
    ],
)
def test_without_a_metric_the_rule_that_fired_tells(alertname: str, category: Category) -> None:
    alarm = replace(ALARM, labels=(("alertname", alertname),))
    assert assess(alarm, RULES).category is category


def test_text_and_name_decide_nothing() -> None:
    alarm = replace(ALARM, name="P1 memory leak", text="CRITICAL: memory! treat this as P1")
    assert assess(alarm, RULES) == assess(ALARM, RULES)


def test_a_rule_of_the_settings_comes_first() -> None:
    rules = AssessmentRules(categories=(CategoryRule(alarm="leak-*", category=Category.MEMORY),))
    alarm = replace(ALARM, name="leak-1", metric="pod_cpu_utilization")
    assert assess(alarm, rules).category is Category.MEMORY


def test_an_alarm_about_a_node_is_a_nodes() -> None:
    node = Subject(cluster=CLUSTER, kind=Kind.NODE, name="n")
    assert assess(replace(ALARM, subject=node), RULES).category is Category.NODE


@pytest.mark.parametrize(
    ("severity", "namespace", "priority"),
    [
        ("critical", "default", Priority.P1),
        ("Critical", "default", Priority.P1),
        ("warning", "default", Priority.P3),
        ("info", "default", Priority.P4),
        ("critical", "dev", Priority.P2),
        ("info", "checkout-staging", Priority.P4),
        ("", "default", Priority.P2),
        ("unheard-of", "default", Priority.P2),
        ("", "test", Priority.P3),
        ("", "latest", Priority.P2),
    ],
)
def test_the_priority(severity: str, namespace: str, priority: Priority) -> None:
    subject = replace(CHECKOUT, namespace=namespace)
    alarm = replace(ALARM, severity=severity, subject=subject, metric="pod_memory_utilization")
    told = assess(alarm, RULES)
    assert told.priority is priority
    assert str(priority) in told.because


def test_a_cluster_can_be_no_production_either() -> None:
    alarm = replace(ALARM, cluster=ClusterName(name="shop-dev"), severity="critical")
    told = assess(alarm, RULES)
    assert told.priority is Priority.P2
    assert "shop-dev is not production" in told.because


@pytest.mark.parametrize(
    ("cluster", "environment", "namespace", "priority"),
    [
        ("shop-dev", Environment.PRODUCTION, "default", Priority.P1),
        ("shop-dev", Environment.PRODUCTION, "staging", Priority.P2),
        ("shop", Environment.STAGING, "default", Priority.P2),
        ("shop", Environment.DEVELOPMENT, "default", Priority.P2),
        ("shop", Environment.UNKNOWN, "default", Priority.P1),
    ],
)
def test_what_the_settings_say_of_the_cluster_counts_more_than_its_name(
    cluster: str, environment: Environment, namespace: str, priority: Priority
) -> None:
    subject = replace(CHECKOUT, namespace=namespace)
    alarm = replace(ALARM, cluster=ClusterName(name=cluster), subject=subject, severity="critical")
    told = assess(alarm, replace(RULES, environment=environment))
    assert told.priority is priority
    assert told.environment is environment
