"""Measures of nodes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petops.mcp_server.question.intents import Form, Meaning
from petops.mcp_server.question.measures import (
    BYTES,
    COUNT,
    RATIO,
    Quantity,
    need,
    of_part,
)
from petops.mcp_server.question.promql import Matcher, Sampling
from petops.mcp_server.question.selection import Part, Selection, UnanswerableError

CONDITIONS = {
    "memory": "MemoryPressure",
    "disk": "DiskPressure",
    "network": "NetworkUnavailable",
    "cpu": "PIDPressure",
}


def has_nodes(selection: Selection, *names: str) -> bool:
    """Say whether nodes tell this of themselves."""
    return selection.catalogue.first(*names) is not None


def memory(meaning: Meaning, selection: Selection) -> Quantity:
    """Return a node's memory: used, free or all of it, as bytes or as a share."""
    free = need(
        selection,
        "node_memory_MemAvailable_bytes",
        "node_memory_MemFree_bytes",
        what="a node's memory",
    )
    whole = need(selection, "node_memory_MemTotal_bytes", what="a node's memory")
    has = meaning.sentence.has
    percent = meaning.threshold is not None and meaning.threshold.figure.unit == "%"
    is_share = has("share") or percent or meaning.form in {Form.SHARE, Form.REQUEST_SHARE}
    available, total = Part(metric=free), Part(metric=whole)
    if has("capacity") or (has("total") and not has("usage", "free", "available", "left")):
        return of_part(selection, total, BYTES, "node", "memory of the node", is_gauge=True)
    is_free = has("free", "available", "headroom")
    if is_free and not is_share:
        return of_part(selection, available, BYTES, "node", "memory available", is_gauge=True)

    def write(by: Sequence[str], at: Sampling) -> str:
        spare = selection.total(available, by, at)
        every = selection.total(total, by, replace(at, function=""))
        if is_free:
            return f"{spare} / {every}"
        return f"1 - {spare} / {every}" if is_share else f"{every} - {spare}"

    about = f"{'available' if is_free else 'used'} memory of the node"
    return Quantity(
        write=write,
        unit=RATIO if is_share else BYTES,
        default_by="node",
        about=about,
        is_ratio=is_share,
    )


def cpu(meaning: Meaning, selection: Selection) -> Quantity:
    """Return the share of a node's processors that is busy or idle, or its cores."""
    metric = need(selection, "node_cpu_seconds_total", what="a node's cpu")
    has = meaning.sentence.has
    idle = Part(
        metric=metric, counter=True, matchers=(Matcher("mode", "=", "idle"),), function="avg"
    )
    if has("capacity") or (has("many") and meaning.threshold is None):
        count = Part(metric=metric, matchers=(Matcher("mode", "=", "idle"),), function="count")
        return of_part(selection, count, "cores", "node", "processors of the node")
    if has("core") and not has("share"):
        busy = replace(idle, matchers=(Matcher("mode", "!=", "idle"),), function="sum")
        return of_part(selection, busy, "cores", "node", "busy cores of the node")
    for name in ("system", "iowait", "steal"):
        if has(name):
            mode = replace(idle, matchers=(Matcher("mode", "=", name),))
            return replace(of_part(selection, mode, RATIO, "node", f"{name} cpu"), is_ratio=True)
    if has("free", "available", "headroom"):
        quantity = of_part(selection, idle, RATIO, "node", "idle cpu of the node")
        return replace(quantity, is_ratio=True)
    return Quantity(
        write=lambda by, at: f"1 - {selection.total(idle, by, at)}",
        unit=RATIO,
        default_by="node",
        about="busy cpu of the node",
        is_ratio=True,
    )


def disk_io(_: Meaning, selection: Selection) -> Quantity:
    """Return the share of time in which disks were busy."""
    metric = need(selection, "node_disk_io_time_seconds_total", what="disk io")
    part = Part(metric=metric, counter=True)
    return replace(
        of_part(selection, part, RATIO, "node", "time that disks were busy"), is_ratio=True
    )


def disk_space(meaning: Meaning, selection: Selection) -> Quantity:
    """Return the used share of file systems, of a node or of containers."""
    has = meaning.sentence.has
    if (
        any(one.kind in {"workload", "pod", "container"} for one in meaning.entities)
        or "pod" in meaning.by
    ):
        metric = need(selection, "container_fs_usage_bytes", what="disk space of containers")
        return of_part(
            selection,
            Part(metric=metric, containers_only=True),
            BYTES,
            "pod",
            "disk space",
            is_gauge=True,
        )
    if not has("space", "free", "available", "left", "headroom") and not has_nodes(
        selection, "node_filesystem_size_bytes"
    ):
        selection.notes.append("disk usage read as the time that disks were busy")
        return disk_io(meaning, selection)
    free = need(
        selection, "node_filesystem_avail_bytes", "node_filesystem_free_bytes", what="disk space"
    )
    whole = need(selection, "node_filesystem_size_bytes", what="disk space")
    if has("free", "available", "left", "headroom") and not has("share"):
        return of_part(
            selection, Part(metric=free), BYTES, "node", "free disk space", is_gauge=True
        )

    def write(by: Sequence[str], at: Sampling) -> str:
        spare, every = (
            selection.total(Part(metric=free), by, at),
            selection.total(Part(metric=whole), by, at),
        )
        return (
            f"{spare} / {every}"
            if has("free", "available", "headroom")
            else f"1 - {spare} / {every}"
        )

    return Quantity(
        write=write, unit=RATIO, default_by="node", about="share of disk space", is_ratio=True
    )


def load(meaning: Meaning, selection: Selection) -> Quantity:
    """Return the load average over a minute; where it is not told, how busy processors are."""
    if not has_nodes(selection, "node_load1", "node_load5"):
        selection.notes.append("load read as busy cpu")
        return cpu(meaning, selection)
    metric = need(selection, "node_load1", "node_load5")
    return of_part(selection, Part(metric=metric), COUNT, "node", "load", is_gauge=True)


def condition(meaning: Meaning, selection: Selection) -> Quantity:
    """Return a condition that Kubernetes keeps of each node, 1 where it is true."""
    metric = need(selection, "kube_node_status_condition", what="conditions of nodes")
    has = meaning.sentence.has
    name = "Ready"
    if has("pressure"):
        name = next((CONDITIONS[lemma] for lemma in CONDITIONS if has(lemma)), "")
    if name not in metric.labels.get("condition", ()):
        known = sorted(metric.labels.get("condition", set()) - {""})
        raise UnanswerableError(
            f"{metric.name} does not tell {name or 'which pressure is meant'}", known
        )
    matchers = [Matcher("condition", "=", name)]
    if "status" in metric.labels:
        matchers.append(Matcher("status", "=", "true"))
    part = Part(metric=metric, matchers=tuple(matchers), function="max")
    return of_part(selection, part, COUNT, "node", f"condition {name}", is_gauge=True)


def wants_false(meaning: Meaning) -> bool:
    """Say whether nodes are asked for of which a condition does not hold."""
    has = meaning.sentence.has
    return has("notready", "unhealthy") or (has("not") and has("ready", "healthy"))
