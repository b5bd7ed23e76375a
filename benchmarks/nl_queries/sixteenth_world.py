#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write the cluster of `world.py` under the names of a hospital, in another dialect.

A service is the `job` that scrapes it, answers have a `status`, and node_exporter knows a node only as
an `instance`.
"""

import re
import sys

import world as original
from world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

RENAMED = {
    "petadoptionshistory-py": "dose-log",
    "payforadoption-go": "lab-results-rs",
    "petlistadoptions-go": "ward-planner",
    "petsearch-java": "patient-lookup",
    "petadoptionshistory": "dose-log",
    "trafficgenerator": "synth-traffic",
    "checkout-worker": "fax-sender",
    "prometheus-mcp-server": "hl7-bridge",
    "mcp-server": "bridge",
    "petsite": "clinic-web",
    "devops-agent": "integration",
    "payments": "outbound-mail",
    '"default"': '"hospital"',
    '\\"default\\"': '\\"hospital\\"',
    "ip-10-0-1-11.ec2": "ip-10-33-6-12.eu-south-1.compute",
    "ip-10-0-2-22.ec2": "ip-10-33-21-5.eu-south-1.compute",
    "ip-10-0-3-33.ec2": "ip-10-33-40-177.eu-south-1.compute",
}
_SERVICES = {"service": "job", "code": "status"}
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
