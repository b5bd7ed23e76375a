#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write the cluster of `world.py`, label for label as it is, under the names of a forwarder."""

import sys

import world as original
from world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

RENAMED = {
    "petadoptionshistory-py": "scan-history",
    "payforadoption-go": "customs-check",
    "petlistadoptions-go": "parcel-tracker",
    "petsearch-java": "route-planner",
    "petadoptionshistory": "scan-history",
    "trafficgenerator": "traffic-sim",
    "checkout-worker": "manifest-printer",
    "prometheus-mcp-server": "argo-relay",
    "mcp-server": "relay",
    "petsite": "shipper-portal",
    "devops-agent": "gitops",
    "payments": "shipping-docs",
    '"default"': '"logistics"',
    '\\"default\\"': '\\"logistics\\"',
    "ip-10-0-1-11.ec2": "ip-10-77-1-19.sa-east-1.compute",
    "ip-10-0-2-22.ec2": "ip-10-77-8-4.sa-east-1.compute",
    "ip-10-0-3-33.ec2": "ip-10-77-14-230.sa-east-1.compute",
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
