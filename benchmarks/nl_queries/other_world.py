#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write three hours of another cluster, that speaks other dialects, as an OpenMetrics file.

What differs from `world.py`, each as some real cluster has it:

  * cAdvisor is scraped by two jobs, so that every container stands there twice, and it exports the
    pods' own cgroups (`container_name=""`) and their pause containers (`container_name="POD"`);
  * its labels are `kubernetes_namespace`, `kubernetes_pod_name`, `container_name`, and a node is an
    `instance`;
  * kube-state-metrics was scraped without honouring labels: what it tells of is `exported_pod` and
    `exported_namespace`, while `pod` is its own;
  * services tell of themselves as `http_server_requests_seconds`, by `app` and `status`, and count
    no errors apart;
  * node_exporter knows addresses only; `kube_node_info` says whose they are;
  * there are a StatefulSet, a DaemonSet, and two services of which one's name begins the other's.

`ledger` leaks during the last 45 minutes, `fx-rates` is throttled and slow during the last 25, node
`ip-172-20-8-19` runs out of memory during the last 20; everything else is steady, with noise.
"""

import sys

from world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

NODES = [
    "ip-172-20-4-7.eu-west-1.compute.internal",
    "ip-172-20-6-52.eu-west-1.compute.internal",
    "ip-172-20-8-19.eu-west-1.compute.internal",
]
ADDRESSES = ["172.20.4.7", "172.20.6.52", "172.20.8.19"]
# service: namespace, container, pods, cpu limit, memory limit, steady memory, requests/s, latency
SERVICES = {
    "storefront": ("shop", "nginx", ["storefront-6b9f8d7c5-2xk9p", "storefront-6b9f8d7c5-7hq4z", "storefront-6b9f8d7c5-vw8tm"], 1.0, 256, 120, 60.0, 0.05),
    "billing": ("finance", "app", ["billing-5f7d9c8b6-p4n2x", "billing-5f7d9c8b6-zt7wq"], 0.5, 512, 300, 12.0, 0.15),
    "billing-gateway": ("finance", "app", ["billing-gateway-7c8d6b5f4-k2j9s"], 0.5, 256, 90, 20.0, 0.04),
    "ledger": ("finance", "ledger", ["ledger-0"], 0.5, 768, 200, 5.0, 0.09),
    "fx-rates": ("finance", "fx-rates", ["fx-rates-84c9d7b6f-d5m8v", "fx-rates-84c9d7b6f-q3x7c"], 0.25, 256, 70, 15.0, 0.03),
    "session-cache": ("shop", "redis", ["session-cache-0", "session-cache-1"], 0.5, 384, 250, 0.0, 0.0),
    "log-shipper": ("observability", "agent", ["log-shipper-4kx8d", "log-shipper-w9z2r", "log-shipper-b7t5n"], 0.2, 128, 60, 0.0, 0.0),
}
BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5]
JOBS = ("kubernetes-cadvisor", "kubelet")


def build():
    w = World()
    n = 0
    for svc, (ns, ctr, pods, cpu_limit, mem_limit, mem, rps, lat) in SERVICES.items():
        for pod in pods:
            at = n % 3
            n += 1
            containers(w, svc, ns, ctr, pod, at, cpu_limit, mem_limit, mem)
            states(w, svc, ns, ctr, pod, at, cpu_limit, mem_limit)
            network(w, svc, ns, pod, at, rps)
            if rps:
                requests(w, svc, ns, pod, rps / len(pods), lat)
    nodes(w)
    owners(w)
    return w


def containers(w, svc, ns, ctr, pod, at, cpu_limit, mem_limit, mem):
    level = {}
    for t in times():
        value = w.noise(mem)
        m = since(t, 45)
        if svc == "ledger" and m > 0:
            value = mem + (m if m < 25 else m - 25) * 20 + w.rng.gauss(0, 2)
        level[t] = min(value, mem_limit * 0.998) * MiB
    busy = {t: cpu_of(w, svc, cpu_limit, t) for t in times()}
    for name, extra in ((ctr, 1.0), ("", 1.02), ("POD", 0.003)):
        rows = [level[t] * extra for t in times()]
        totals, total = [], w.rng.uniform(1e3, 1e4)
        for t in times():
            totals.append(total)
            total += busy[t] * extra * STEP
        for job in JOBS:
            lab = labels(job=job, instance=f"{ADDRESSES[at]}:10250", kubernetes_namespace=ns, kubernetes_pod_name=pod, container_name=name)
            w.add("container_memory_working_set_bytes", "gauge", "container_memory_working_set_bytes", lab, list(zip(times(), rows)))
            w.add("container_memory_usage_bytes", "gauge", "container_memory_usage_bytes", lab, list(zip(times(), [v * 1.1 for v in rows])))
            w.add("container_cpu_usage_seconds", "counter", "container_cpu_usage_seconds_total", lab, list(zip(times(), totals)))
    own = labels(job=JOBS[0], instance=f"{ADDRESSES[at]}:10250", kubernetes_namespace=ns, kubernetes_pod_name=pod, container_name=ctr)
    w.counter("container_cpu_cfs_periods", own, lambda t: 10.0)
    slow = (lambda t: 7.9 if since(t, 25) > 0 else 0.1) if svc == "fx-rates" else (lambda t: 0.04)
    w.counter("container_cpu_cfs_throttled_periods", own, slow)


def cpu_of(w, svc, cpu_limit, t):
    if svc == "fx-rates" and since(t, 25) > 0:
        return w.noise(cpu_limit * 0.98, 0.005)
    return w.noise({"storefront": 0.35, "billing": 0.21, "log-shipper": 0.03}.get(svc, 0.06))


def states(w, svc, ns, ctr, pod, at, cpu_limit, mem_limit):
    own = {"namespace": "observability", "pod": "kube-state-metrics-5c6d7f8b9-xq2lw", "instance": "172.20.4.90:8080"}
    told = {**own, "exported_namespace": ns, "exported_pod": pod, "exported_container": ctr}
    for resource, unit, limit in (("memory", "byte", mem_limit * MiB), ("cpu", "core", cpu_limit)):
        for kind, share in (("limits", 1.0), ("requests", 0.5)):
            w.gauge(f"kube_pod_container_resource_{kind}", labels(**told, node=NODES[at], resource=resource, unit=unit),
                    lambda t, v=limit * share: v)
    killed = (lambda t: 3 + (since(t, 20) > 0)) if svc == "ledger" else (lambda t: 1 if pod == "session-cache-1" else 0)
    w.add("kube_pod_container_status_restarts", "counter", "kube_pod_container_status_restarts_total",
          labels(**told), [(t, float(killed(t))) for t in times()])
    place = {**own, "exported_namespace": ns, "exported_pod": pod}
    for phase in ("Running", "Pending", "Failed"):
        w.gauge("kube_pod_status_phase", labels(**place, phase=phase), lambda t, p=phase: float(p == "Running"))
    w.gauge("kube_pod_info", labels(**place, node=NODES[at], created_by_name=svc), lambda t: 1)


def network(w, svc, ns, pod, at, rps):
    for way, size in (("receive", 700), ("transmit", 1900)):
        lab = labels(job=JOBS[0], instance=f"{ADDRESSES[at]}:10250", kubernetes_namespace=ns, kubernetes_pod_name=pod, interface="eth0")
        w.counter(f"container_network_{way}_bytes", lab, lambda t, s=size: w.noise((rps + 1) * s))


def requests(w, svc, ns, pod, per_pod, lat):
    lab = {"job": "applications", "kubernetes_namespace": ns, "app": svc, "kubernetes_pod_name": pod}
    fam = "http_server_requests_seconds"
    for status in ("200", "404", "503"):
        counts = {le: 0.0 for le in BUCKETS}
        rows = {le: [] for le in BUCKETS}
        total, spent, totals, sums = 0.0, 0.0, [], []
        for t in times():
            for le in BUCKETS:
                rows[le].append((t, counts[le]))
            totals.append((t, total))
            sums.append((t, spent))
            bad = 0.12 if svc == "fx-rates" and since(t, 25) > 0 else 0.002
            share = {"200": 0.98 - bad, "404": 0.02, "503": bad}[status]
            mean = lat * 15 if svc == "fx-rates" and since(t, 25) > 0 else lat
            number = w.noise(per_pod * share, 0.01) * STEP
            for le in BUCKETS:
                counts[le] += number * (1 - 2.718281828 ** (-le / mean))
            total += number
            spent += number * mean
        for le in BUCKETS:
            w.add(fam, "histogram", fam + "_bucket", labels(**lab, status=status, le=le), rows[le])
        w.add(fam, "histogram", fam + "_bucket", labels(**lab, status=status, le="+Inf"), totals)
        w.add(fam, "histogram", fam + "_count", labels(**lab, status=status), totals)
        w.add(fam, "histogram", fam + "_sum", labels(**lab, status=status), sums)


def nodes(w):
    for i, (node, address) in enumerate(zip(NODES, ADDRESSES)):
        lab = labels(job="node-exporter", instance=f"{address}:9100")
        w.gauge("node_memory_MemTotal_bytes", lab, lambda t: 4 * 1024 * MiB)

        def available(t, i=i):
            free = w.noise([2600, 2100, 2900][i], 0.01)
            if i == 2:
                free = max(80, free - since(t, 20) * 140)
            return free * MiB

        w.gauge("node_memory_MemAvailable_bytes", lab, available)
        for cpu in range(2):
            for mode, share in (("idle", [0.80, 0.55, 0.66][i]), ("user", [0.13, 0.37, 0.26][i]), ("system", 0.05), ("iowait", 0.02)):
                w.counter("node_cpu_seconds", labels(job="node-exporter", instance=f"{address}:9100", cpu=cpu, mode=mode),
                          lambda t, s=share: w.noise(s, 0.01))
        w.counter("node_disk_io_time_seconds", labels(job="node-exporter", instance=f"{address}:9100", device="nvme1n1"),
                  lambda t, i=i: w.noise([0.22, 0.04, 0.09][i]))
        w.gauge("kube_node_info", labels(node=node, internal_ip=address), lambda t: 1)
        for condition in ("Ready", "MemoryPressure", "DiskPressure"):
            for status in ("true", "false", "unknown"):
                def holds(t, i=i, c=condition, s=status):
                    true = c == "Ready" or (c == "MemoryPressure" and i == 2 and since(t, 5) > 0)
                    return float(s == ("true" if true else "false"))
                w.gauge("kube_node_status_condition", labels(node=node, condition=condition, status=status), holds)


def owners(w):
    for svc, (ns, _, pods, *_rest) in SERVICES.items():
        if svc in ("ledger", "session-cache", "log-shipper"):
            continue
        lab = labels(exported_namespace=ns, deployment=svc)
        w.gauge("kube_deployment_spec_replicas", lab, lambda t, p=pods, s=svc: len(p) + (s == "billing"))
        w.gauge("kube_deployment_status_replicas_available", lab, lambda t, p=pods: len(p))
        w.gauge("kube_deployment_status_replicas_unavailable", lab, lambda t, s=svc: float(s == "billing"))
    for hpa, low, high, now in (("storefront", 3, 3, 3), ("billing", 2, 8, 2)):
        for name, value in (("min_replicas", low), ("max_replicas", high)):
            w.gauge(f"kube_horizontalpodautoscaler_spec_{name}", labels(exported_namespace="shop", horizontalpodautoscaler=hpa), lambda t, v=value: v)
        w.gauge("kube_horizontalpodautoscaler_status_current_replicas", labels(exported_namespace="shop", horizontalpodautoscaler=hpa), lambda t, v=now: v)


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "world.om", "w") as out:
        build().write(out)
