"""What the API server refuses of Jobs, CronJobs, autoscalers and pods' restart policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from petops.lab.cron_schedules import ScheduleError, schedule_of, zone_of
from petops.lab.kubernetes_status import Cause
from petops.lab.store import Json

Template = Callable[[Json, str], Iterator[Cause]]
_REQUIRED: Final = "FieldValueRequired"
_ONCE: Final = ("OnFailure", "Never")


def restarts_always(spec: Json) -> Iterator[Cause]:
    """Refuse a template whose pods would not be restarted for ever."""
    template: Any = spec.get("template")
    pod = (template.get("spec") or {}) if isinstance(template, dict) else {}
    policy = pod.get("restartPolicy", "Always")
    if policy != "Always":
        yield Cause(
            "spec.template.spec.restartPolicy",
            f'Unsupported value: {json.dumps(policy)}: supported values: "Always"',
            "FieldValueNotSupported",
        )


def job(spec: Json, template: Template, path: str) -> Iterator[Cause]:
    """Check what a Job's specification, which stands at `path`, says."""
    yield from template(spec, f"{path}.template.spec")
    found: Any = spec.get("template")
    pod = (found.get("spec") or {}) if isinstance(found, dict) else {}
    policy = pod.get("restartPolicy", "Always")
    if policy not in _ONCE:
        yield Cause(
            f"{path}.template.spec.restartPolicy",
            'Required value: valid values: "OnFailure", "Never"',
            _REQUIRED,
        )
    for name in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"):
        if spec.get(name, 0) < 0:
            text = f"Invalid value: {spec[name]}: must be greater than or equal to 0"
            yield Cause(f"{path}.{name}", text)


def _readable(text: str, field: str, read: Callable[[str], object]) -> Iterator[Cause]:
    try:
        read(text)
    except ScheduleError as exc:
        yield Cause(field, f"Invalid value: {json.dumps(text)}: {exc}")


def cron_job(spec: Json, template: Template) -> Iterator[Cause]:
    """Check a CronJob's specification."""
    schedule = spec.get("schedule")
    if not schedule:
        yield Cause("spec.schedule", "Required value", _REQUIRED)
    else:
        yield from _readable(str(schedule), "spec.schedule", schedule_of)
    if spec.get("timeZone") is not None:
        yield from _readable(str(spec["timeZone"]), "spec.timeZone", zone_of)
    inner = (spec.get("jobTemplate") or {}).get("spec")
    if not isinstance(inner, dict):
        yield Cause("spec.jobTemplate.spec.template", "Required value", _REQUIRED)
        return
    yield from job(inner, template, "spec.jobTemplate.spec")


def autoscaler(before: Json | None, now: Json) -> Iterator[Cause]:
    """Check an autoscaler."""
    spec = now["spec"]
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if most < 1:
        yield Cause("spec.maxReplicas", f"Invalid value: {most}: must be greater than 0")
    elif most < least:
        text = f"Invalid value: {most}: must be greater than or equal to `minReplicas`"
        yield Cause("spec.maxReplicas", text)
    reference = spec.get("scaleTargetRef") or {}
    for name in ("kind", "name"):
        if not reference.get(name):
            yield Cause(f"spec.scaleTargetRef.{name}", "Required value", _REQUIRED)
    for position, metric in enumerate(spec.get("metrics") or ()):
        if not isinstance(metric, dict) or not isinstance(metric.get("type"), str):
            yield Cause(f"spec.metrics[{position}].type", "Required value", _REQUIRED)
        elif metric["type"] == "Resource" and not (metric.get("resource") or {}).get("name"):
            yield Cause(f"spec.metrics[{position}].resource.name", "Required value", _REQUIRED)
