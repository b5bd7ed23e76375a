#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write the cluster of `world.py` under the names of an insurer, in another dialect.

Services were found by their endpoints: they are `kubernetes_name`, their pods `kubernetes_pod_name`,
and answers have a `status_code`; node_exporter knows a node only as an `instance`.
"""

import re
import sys

import world as original
from world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

RENAMED = {
    "petadoptionshistory-py": "claims-archive-node",
    "payforadoption-go": "risk-scorer-py",
    "petlistadoptions-go": "policy-admin-net",
    "petsearch-java": "quote-engine-scala",
    "petadoptionshistory": "claims-archive",
    "trafficgenerator": "locust",
    "checkout-worker": "letter-renderer",
    "prometheus-mcp-server": "vault-proxy",
    "mcp-server": "proxy",
    "petsite": "customer-portal",
    "devops-agent": "security",
    "payments": "documents",
    '"default"': '"insurance"',
    '\\"default\\"': '\\"insurance\\"',
    "ip-10-0-1-11.ec2": "ip-100-64-7-3.ca-central-1.compute",
    "ip-10-0-2-22.ec2": "ip-100-64-19-88.ca-central-1.compute",
    "ip-10-0-3-33.ec2": "ip-100-64-30-251.ca-central-1.compute",
}
_SERVICES = {"service": "kubernetes_name", "code": "status_code", "pod": "kubernetes_pod_name", "namespace": "kubernetes_namespace"}
_CADVISOR = {}


def renamed(text):
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    return text


def dialect(family):
    if family.startswith("http_"):
        return _SERVICES
    if family.startswith("container_"):
        return _CADVISOR
    return {}


def relabelled(family, lab):
    for old, new in dialect(family).items():
        lab = re.sub(rf"([{{,]){old}=", rf"\1{new}=", lab)
    return re.sub(r'([{,])node="[^"]*",', r"\1", lab) if family.startswith("node_") else lab


NODES = [renamed(node) for node in original.NODES]
SERVICES = {
    renamed(name): (renamed(f'"{ns}"').strip('"'), renamed(container), [renamed(pod) for pod in pods], *rest)
    for name, (ns, container, pods, *rest) in original.SERVICES.items()
}


def build():
    w = original.build()
    w.families = {
        family: (kind, [(name, relabelled(family, renamed(lab)), points) for name, lab, points in rows])
        for family, (kind, rows) in w.families.items()
    }
    return w


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "world.om", "w") as out:
        build().write(out)
