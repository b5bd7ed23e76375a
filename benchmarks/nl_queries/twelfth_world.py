#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write the cluster of `world.py`, label for label as it is, under the names of a power company."""

import sys

import world as original
from world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

RENAMED = {
    "petadoptionshistory-py": "telemetry-store",
    "payforadoption-go": "tariff-calc",
    "petlistadoptions-go": "meter-reader",
    "petsearch-java": "grid-map",
    "petadoptionshistory": "telemetry",
    "trafficgenerator": "chaos-bot",
    "checkout-worker": "bill-exporter",
    "prometheus-mcp-server": "cert-rotator",
    "mcp-server": "rotator",
    "petsite": "customer-app",
    "devops-agent": "core-infra",
    "payments": "invoicing",
    '"default"': '"energy"',
    '\\"default\\"': '\\"energy\\"',
    "ip-10-0-1-11.ec2": "ip-10-128-2-66.us-east-2.compute",
    "ip-10-0-2-22.ec2": "ip-10-128-40-7.us-east-2.compute",
    "ip-10-0-3-33.ec2": "ip-10-128-63-190.us-east-2.compute",
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


def build():
    w = original.build()
    w.families = {
        family: (kind, [(name, renamed(lab), points) for name, lab, points in rows])
        for family, (kind, rows) in w.families.items()
    }
    return w


if __name__ == "__main__":
    with open(sys.argv[1] if len(sys.argv) > 1 else "world.om", "w") as out:
        build().write(out)
