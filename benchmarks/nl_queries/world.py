#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write three hours of a small, realistic cluster as an OpenMetrics file, for backfilling into Prometheus.

The world is deterministic. It ends at END (2026-01-15 12:00:00 UTC), one sample every STEP seconds:

  * `petadoptionshistory-py` leaks memory during the last 40 minutes and was OOMKilled twice;
  * `payforadoption-go` is CPU-throttled and slow during the last 30 minutes;
  * node `ip-10-0-3-33.ec2.internal` runs out of memory during the last 20 minutes;
  * everything else is steady, with noise.

As in a real cluster, cAdvisor exports every container series and also the pod's own cgroup (`container=""`):
summing without leaving that one out counts each pod twice.

    python3 world.py world.om
    promtool tsdb create-blocks-from openmetrics world.om data/
    prometheus --storage.tsdb.path=data --storage.tsdb.retention.time=100y --config.file=empty.yml
"""
import random
import sys

END = 1768478400  # 2026-01-15T12:00:00Z
SPAN = 3 * 3600
STEP = 30
MiB = 1024 * 1024

NODES = ["ip-10-0-1-11.ec2.internal", "ip-10-0-2-22.ec2.internal", "ip-10-0-3-33.ec2.internal"]
# service: namespace, container, pods, cpu limit (cores), memory limit, steady memory, requests/s, steady latency (s)
SERVICES = {
    "petsite": ("default", "petsite", ["petsite-7c9d5f6b8-4kq2m", "petsite-7c9d5f6b8-9vx7t", "petsite-7c9d5f6b8-tz5wn"], 1.0, 512, 210, 42.0, 0.12),
    "petsearch-java": ("default", "petsearch-java", ["petsearch-java-5b8c7d9f4-h2p6r", "petsearch-java-5b8c7d9f4-w8n3k"], 1.0, 1024, 640, 25.0, 0.08),
    "payforadoption-go": ("default", "payforadoption-go", ["payforadoption-go-6f7b9c8d5-j4s9x", "payforadoption-go-6f7b9c8d5-m7d2v"], 0.2, 256, 60, 9.0, 0.06),
    "petlistadoptions-go": ("default", "petlistadoptions-go", ["petlistadoptions-go-84d6c5b7f-q9z4h", "petlistadoptions-go-84d6c5b7f-r3t8b"], 0.5, 256, 75, 14.0, 0.05),
    "petadoptionshistory-py": ("default", "petadoptionshistory-py", ["petadoptionshistory-py-6d8f7c9b5-x2x7q"], 0.5, 512, 140, 6.0, 0.07),
    "trafficgenerator": ("default", "trafficgenerator", ["trafficgenerator-59f7d8c6b-c5l2g"], 0.5, 128, 48, 0.0, 0.0),
    "checkout-worker": ("payments", "checkout-worker", ["checkout-worker-7d6b5c9f8-b6f4n", "checkout-worker-7d6b5c9f8-k8w5p"], 0.5, 384, 190, 3.0, 0.20),
    "prometheus-mcp-server": ("devops-agent", "mcp-server", ["prometheus-mcp-server-66c8d7b9f-d2m8s", "prometheus-mcp-server-66c8d7b9f-p7v3c"], 0.5, 1024, 120, 1.5, 0.03),
}
BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]


def labels(**kv):
    return "{" + ",".join(f'{k}="{v}"' for k, v in kv.items()) + "}"


class World:
    def __init__(self):
        self.families = {}
        self.rng = random.Random(20260115)

    def add(self, family, kind, name, lab, points):
        self.families.setdefault(family, (kind, []))[1].append((name, lab, points))

    def noise(self, level, spread=0.03):
        return max(0.0, level * (1 + self.rng.gauss(0, spread)))

    def gauge(self, name, lab, f):
        self.add(name, "gauge", name, lab, [(t, f(t)) for t in times()])

    def counter(self, family, lab, rate):
        total, points = self.rng.uniform(1e3, 1e4), []
        for t in times():
            points.append((t, total))
            total += max(0.0, rate(t)) * STEP
        self.add(family, "counter", family + "_total", lab, points)

    def write(self, out):
        for family, (kind, rows) in self.families.items():
            out.write(f"# TYPE {family} {kind}\n")
            for name, lab, points in rows:
                for t, v in points:
                    out.write(f"{name}{lab} {v:.6g} {t}\n" if kind == "gauge" else f"{name}{lab} {v:.10g} {t}\n")
        out.write("# EOF\n")


def times():
    return range(END - SPAN, END + 1, STEP)


def since(t, minutes):
    """Minutes gone at t of the last `minutes` before END, 0 before them."""
    return max(0.0, (t - (END - minutes * 60)) / 60)


def build():
    w = World()
    n = 0
    for svc, (ns, ctr, pods, cpu_limit, mem_limit, mem, rps, lat) in SERVICES.items():
        for pod in pods:
            node = NODES[n % 3]
            n += 1

            def memory(t, svc=svc, mem=mem):
                level = w.noise(mem)
                if svc == "petadoptionshistory-py":
                    m = since(t, 40)
                    # two sawteeth: killed at -24 and -8 minutes, and climbing again
                    if m > 0:
                        tooth = m if m < 16 else m - 16 if m < 32 else m - 32
                        level = mem + tooth * 23 + w.rng.gauss(0, 2)
                return min(level, mem_limit * 0.998) * MiB

            def cpu(t, svc=svc, cpu_limit=cpu_limit):
                base = {"petsearch-java": 0.42, "petsite": 0.30, "payforadoption-go": 0.07}.get(svc, 0.05)
                if svc == "payforadoption-go" and since(t, 30) > 0:
                    return w.noise(cpu_limit * 0.985, 0.005)
                return w.noise(base)

            for container in (ctr, ""):  # the container, and the pod's own cgroup
                lab = labels(namespace=ns, pod=pod, container=container, node=node)
                extra = 1.0 if container else 1.02
                w.gauge("container_memory_usage_bytes", lab, lambda t, e=extra, m=mem_limit: min(memory(t) * 1.08 * e, m * MiB * 0.999))
                w.gauge("container_memory_working_set_bytes", lab, lambda t, e=extra: memory(t) * e)
                w.counter("container_cpu_usage_seconds", lab, lambda t, e=extra: cpu(t) * e)
            own = labels(namespace=ns, pod=pod, container=ctr, node=node)
            w.counter("container_cpu_cfs_periods", own, lambda t: 10.0)
            throttled = (lambda t: 8.6 if since(t, 30) > 0 else 0.2) if svc == "payforadoption-go" else (lambda t: 0.05)
            w.counter("container_cpu_cfs_throttled_periods", own, throttled)
            w.gauge("container_spec_memory_limit_bytes", own, lambda t, m=mem_limit: m * MiB)
            for resource, unit, value in (("memory", "byte", mem_limit * MiB), ("cpu", "core", cpu_limit)):
                w.gauge("kube_pod_container_resource_limits",
                        labels(namespace=ns, pod=pod, container=ctr, node=node, resource=resource, unit=unit),
                        lambda t, v=value: v)
            restarts = (lambda t: (since(t, 24) > 0) + (since(t, 8) > 0)) if svc == "petadoptionshistory-py" else (lambda t: 0)
            w.add("kube_pod_container_status_restarts", "counter", "kube_pod_container_status_restarts_total",
                  labels(namespace=ns, pod=pod, container=ctr), [(t, float(restarts(t))) for t in times()])
            w.gauge("kube_pod_status_phase", labels(namespace=ns, pod=pod, phase="Running"), lambda t: 1)
            net = labels(namespace=ns, pod=pod, interface="eth0", node=node)
            w.counter("container_network_receive_bytes", net, lambda t, r=rps: w.noise((r + 1) * 900))
            w.counter("container_network_transmit_bytes", net, lambda t, r=rps: w.noise((r + 1) * 2400))
            if rps:
                per_pod = rps / len(pods)

                def failing(t, svc=svc):
                    if svc == "payforadoption-go":
                        return 0.18 if since(t, 30) > 0 else 0.002
                    if svc == "petadoptionshistory-py":
                        return 0.06 if since(t, 40) > 0 else 0.001
                    return 0.003

                def slow(t, svc=svc, lat=lat):
                    return lat * 18 if svc == "payforadoption-go" and since(t, 30) > 0 else lat

                for code in ("200", "404", "500"):
                    def rate(t, code=code):
                        bad = failing(t)
                        share = {"200": 0.99 - bad, "404": 0.01, "500": bad}[code]
                        return w.noise(per_pod * share, 0.01)
                    w.counter("http_requests", labels(namespace=ns, service=svc, pod=pod, method="GET", code=code), rate)
                w.counter("http_requests_errors", labels(namespace=ns, service=svc, pod=pod), lambda t: per_pod * failing(t))
                counts = {le: 0.0 for le in BUCKETS}
                rows = {le: [] for le in BUCKETS}
                total, spent, totals, sums = 0.0, 0.0, [], []
                for t in times():
                    for le in BUCKETS:
                        rows[le].append((t, counts[le]))
                    totals.append((t, total))
                    sums.append((t, spent))
                    mean = slow(t)
                    for le in BUCKETS:
                        counts[le] += per_pod * STEP * (1 - 2.718281828 ** (-le / mean))
                    total += per_pod * STEP
                    spent += per_pod * STEP * mean
                fam, lab = "http_request_duration_seconds", dict(namespace=ns, service=svc, pod=pod)
                for le in BUCKETS:
                    w.add(fam, "histogram", fam + "_bucket", labels(**lab, le=le), rows[le])
                w.add(fam, "histogram", fam + "_bucket", labels(**lab, le="+Inf"), totals)
                w.add(fam, "histogram", fam + "_count", labels(**lab), totals)
                w.add(fam, "histogram", fam + "_sum", labels(**lab), sums)
    for i, node in enumerate(NODES):
        lab = labels(node=node, instance=f"{node}:9100")
        total = 8 * 1024 * MiB
        w.gauge("node_memory_MemTotal_bytes", lab, lambda t: total)

        def available(t, i=i):
            free = w.noise([5200, 4700, 3900][i], 0.01)
            if i == 2:
                free = max(95, free - since(t, 20) * 205)
            return free * MiB
        w.gauge("node_memory_MemAvailable_bytes", lab, available)
        for cpu in range(2):
            for mode, share in (("idle", [0.71, 0.64, 0.38][i]), ("user", [0.21, 0.27, 0.49][i]), ("system", 0.06), ("iowait", 0.02)):
                w.counter("node_cpu_seconds", labels(node=node, instance=f"{node}:9100", cpu=cpu, mode=mode),
                          lambda t, s=share: w.noise(s, 0.01))
        w.counter("node_disk_io_time_seconds", labels(node=node, instance=f"{node}:9100", device="nvme0n1"),
                  lambda t, i=i: w.noise([0.05, 0.08, 0.31][i]))
        for condition in ("Ready", "MemoryPressure", "DiskPressure"):
            value = (lambda t, i=i: float(i == 2 and since(t, 4) > 0)) if condition == "MemoryPressure" else (
                lambda t, c=condition: float(c == "Ready"))
            w.gauge("kube_node_status_condition", labels(node=node, condition=condition, status="true"), value)
    for svc, (ns, _, pods, *_rest) in SERVICES.items():
        w.gauge("kube_deployment_status_replicas_available", labels(namespace=ns, deployment=svc), lambda t, p=pods: len(p))
    for hpa, low, high, now in (("payforadoption-go", 2, 2, 2), ("petsite", 2, 6, 3)):
        for name, value in (("min_replicas", low), ("max_replicas", high)):
            w.gauge(f"kube_horizontalpodautoscaler_spec_{name}", labels(namespace="default", horizontalpodautoscaler=hpa), lambda t, v=value: v)
        w.gauge("kube_horizontalpodautoscaler_status_current_replicas", labels(namespace="default", horizontalpodautoscaler=hpa), lambda t, v=now: v)
    return w


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "world.om", "w") as out:
        build().write(out)
