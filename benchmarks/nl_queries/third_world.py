#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write the cluster of `world.py` under other names, with more of what a real one exports.

Names that are words of the questions' own language (`rate-limiter`, `auth`), names that begin alike
(`search-api`, `search-indexer`), and the families that `world.py` leaves out: requests, resident
memory and page cache, reasons of the last exit, phases, disks, desired and unavailable replicas.
`recommender` leaks, `rate-limiter` is throttled and slow, node `ip-192-168-90-233` runs out of
memory; one pod of `loadgen` waits for a place.
"""

import sys

import world as original
from world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

RENAMED = {
    "petadoptionshistory-py": "recommender", "payforadoption-go": "rate-limiter",
    "petlistadoptions-go": "search-indexer", "petsearch-java": "search-api",
    "trafficgenerator": "loadgen", "checkout-worker": "mailer", "prometheus-mcp-server": "auth",
    "mcp-server": "keycloak", "petsite": "frontend-web", "devops-agent": "identity",
    "payments": "messaging", '"default"': '"retail"',
    "ip-10-0-1-11.ec2": "ip-192-168-44-101.eu-north-1.compute",
    "ip-10-0-2-22.ec2": "ip-192-168-71-8.eu-north-1.compute",
    "ip-10-0-3-33.ec2": "ip-192-168-90-233.eu-north-1.compute",
}


def renamed(text):
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    return text


NODES = [renamed(node) for node in original.NODES]
SERVICES = {
    renamed(name): (renamed(f'"{ns}"').strip('"'), renamed(container), [renamed(pod) for pod in pods], *rest)
    for name, (ns, container, pods, *rest) in original.SERVICES.items()
}
WAITING = "loadgen-59f7d8c6b-zz8k4"


def build():
    w = original.build()
    w.families = {
        family: (kind, [(name, renamed(lab), points) for name, lab, points in rows])
        for family, (kind, rows) in w.families.items()
    }
    n = 0
    for svc, (ns, ctr, pods, cpu_limit, mem_limit, mem, *_rest) in SERVICES.items():
        for pod in pods:
            more(w, svc, ns, ctr, pod, NODES[n % 3], cpu_limit, mem_limit, mem)
            n += 1
        replicas = labels(namespace=ns, deployment=svc)
        waits = float(svc == "loadgen")
        w.gauge("kube_deployment_spec_replicas", replicas, lambda t, p=pods, x=waits: len(p) + x)
        w.gauge("kube_deployment_status_replicas_unavailable", replicas, lambda t, x=waits: x)
    for phase in ("Pending", "Running"):
        lab = labels(namespace="retail", pod=WAITING, phase=phase)
        w.gauge("kube_pod_status_phase", lab, lambda t, p=phase: float(p == "Pending"))
    for i, node in enumerate(NODES):
        for name, value in (("size", 80), ("avail", [52, 31, 9][i])):
            lab = labels(node=node, instance=f"{node}:9100", device="/dev/nvme0n1p1", fstype="xfs", mountpoint="/")
            w.gauge(f"node_filesystem_{name}_bytes", lab, lambda t, v=value: v * 1024 * MiB)
        lab = labels(node=node, instance=f"{node}:9100", device="eth0")
        for way, size in (("receive", 9e5), ("transmit", 2e6)):
            w.counter(f"node_network_{way}_bytes", lab, lambda t, s=size, i=i: w.noise(s * (i + 1)))
        w.gauge("node_load1", labels(node=node, instance=f"{node}:9100"), lambda t, i=i: w.noise([0.5, 0.7, 1.2][i]))
    return w


def more(w, svc, ns, ctr, pod, node, cpu_limit, mem_limit, mem):
    own = labels(namespace=ns, pod=pod, container=ctr, node=node)
    w.gauge("container_memory_rss", own, lambda t: w.noise(mem * 0.8, 0.01) * MiB)
    w.gauge("container_memory_cache", own, lambda t: w.noise(mem * 0.15, 0.01) * MiB)
    for resource, unit, value in (("memory", "byte", mem_limit * MiB / 2), ("cpu", "core", cpu_limit / 2)):
        lab = labels(namespace=ns, pod=pod, container=ctr, node=node, resource=resource, unit=unit)
        w.gauge("kube_pod_container_resource_requests", lab, lambda t, v=value: v)
    w.gauge("kube_pod_info", labels(namespace=ns, pod=pod, node=node, created_by_kind="ReplicaSet"), lambda t: 1)
    w.gauge("kube_pod_status_ready", labels(namespace=ns, pod=pod, condition="true"), lambda t: 1)
    if svc == "recommender":
        killed = labels(namespace=ns, pod=pod, container=ctr, reason="OOMKilled")
        w.gauge("kube_pod_container_status_last_terminated_reason", killed, lambda t: float(since(t, 24) > 0))
        w.add("container_oom_events", "counter", "container_oom_events_total", own,
              [(t, float((since(t, 24) > 0) + (since(t, 8) > 0))) for t in times()])


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "world.om", "w") as out:
        build().write(out)
