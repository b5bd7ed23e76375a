"""Faults, one drill or more for each failure mode."""

from __future__ import annotations

from typing import Final

from petops.domain.alarm import Category
from petops.scenarios.drill_beginnings import (
    WEB,
    applied,
    behind_frontend,
    busy,
    emptied_service,
    failing_job,
    filled_node,
    full_disk,
    full_quota,
    misses,
    new,
    pinned,
    rollout,
    silent_kubelet,
    slow_dependency,
    starved,
)
from petops.scenarios.drills import About, Drill

_MEMORY: Final = (Category.MEMORY, Category.RESTARTS)

FAULTS: Final = (
    Drill(
        name="memory-leak",
        begin=applied(
            "memory-leak", About(name="petadoptionshistory-py-leak"), ("restart-workload",)
        ),
        seconds=150,
        categories=_MEMORY,
    ),
    Drill(
        name="memory-leak-of-a-rollout",
        begin=rollout("memory-leak", environment={"LEAK_MIB_PER_SECOND": "3"}),
        seconds=150,
        categories=(*_MEMORY, Category.AVAILABILITY),
    ),
    Drill(
        name="memory-limit-too-low",
        begin=new(
            "memory-limit-too-low",
            "reports",
            {"BASELINE_MIB": "125.5"},
            ("raise-memory-limit",),
            resources={
                "requests": {"cpu": "50m", "memory": "64Mi"},
                "limits": {"memory": "128Mi"},
            },
        ),
        seconds=900,
        categories=_MEMORY,
    ),
    Drill(
        name="cpu-throttling",
        begin=applied("cpu-throttling", About(name="payforadoption-go-burn"), ("raise-cpu-limit",)),
        seconds=240,
        categories=(Category.LATENCY, Category.CPU),
    ),
    Drill(
        name="slow-dependency",
        begin=slow_dependency("DynamoDB", WEB, WEB, slower=40.0),
        seconds=600,
        categories=(Category.LATENCY,),
    ),
    Drill(
        name="slow-dependency-fails",
        begin=slow_dependency("DynamoDB", WEB, WEB, fault_ratio=0.6),
        seconds=600,
        categories=(Category.ERRORS,),
    ),
    Drill(
        name="slow-dependency-behind-a-frontend",
        begin=slow_dependency("DynamoDB", "petsite", WEB, slower=60.0),
        seconds=600,
        categories=(Category.LATENCY,),
    ),
    Drill(
        name="cpu-throttling-behind-a-frontend",
        begin=behind_frontend(
            "cpu-throttling", About(name="payforadoption-go-burn"), ("raise-cpu-limit",)
        ),
        seconds=600,
        categories=(Category.LATENCY,),
    ),
    Drill(name="disk-pressure", begin=full_disk, seconds=420, categories=(Category.NODE,)),
    Drill(
        name="node-cpu-starvation",
        begin=starved,
        seconds=900,
        categories=(Category.LATENCY, Category.CPU),
    ),
    Drill(
        name="node-memory-pressure",
        begin=filled_node,
        seconds=90,
        categories=(Category.NODE,),
    ),
    Drill(
        name="bad-rollout-crashes",
        begin=rollout("bad-rollout", environment={"EXITS_AFTER_SECONDS": "3"}),
    ),
    Drill(
        name="bad-rollout-never-ready",
        begin=rollout("bad-rollout", environment={"UNREADY_AFTER_SECONDS": "0"}),
    ),
    Drill(
        name="crash-loop",
        begin=new("crash-loop", "reports", {"EXITS_AFTER_SECONDS": "3"}, ("fix-config",)),
        seconds=180,
    ),
    Drill(
        name="failing-probe",
        begin=new(
            "failing-probe",
            "reports",
            {"UNREADY_AFTER_SECONDS": "60"},
            ("look-closer",),
            probe="readinessProbe",
        ),
        seconds=300,
    ),
    Drill(
        name="image-pull-denied",
        begin=rollout("image-pull", image="registry.example.com/private/x:1"),
    ),
    Drill(
        name="image-pull-no-tag", begin=rollout("image-pull", image="registry.example.com/x:9.9.9")
    ),
    Drill(name="image-pull-no-host", begin=rollout("image-pull", image="registry.internal/x:1")),
    Drill(
        name="unschedulable-cpu",
        begin=rollout("unschedulable", resources={"requests": {"cpu": "64"}}),
    ),
    Drill(name="unschedulable-selector", begin=pinned),
    Drill(name="no-endpoints", begin=misses, categories=(Category.AVAILABILITY, Category.ERRORS)),
    Drill(name="job-failed", begin=failing_job),
    Drill(
        name="node-not-ready",
        begin=silent_kubelet,
        categories=(Category.AVAILABILITY, Category.OTHER),
    ),
    Drill(name="quota-exceeded", begin=full_quota),
    Drill(
        name="quota-exceeded-behind-a-service",
        begin=emptied_service,
        categories=(Category.AVAILABILITY, Category.ERRORS),
    ),
    Drill(name="hpa-maxed", begin=busy, seconds=300, categories=(Category.CPU, Category.LATENCY)),
)
