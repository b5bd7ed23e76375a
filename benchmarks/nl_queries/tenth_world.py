#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write the cluster of `world.py`, label for label as it is, under names of a shop, of which one begins another."""

import sys

import world as original
from world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

RENAMED = {
    "petsite-.*": "orders-7c9d5f6b8-.*",
    "petadoptionshistory-py": "recommendations", "payforadoption-go": "payment-api-v2",
    "petlistadoptions-go": "inventory", "petsearch-java": "orders-search",
    "petadoptionshistory": "recommendations",
    "trafficgenerator": "k6-runner", "checkout-worker": "email-worker",
    "prometheus-mcp-server": "grafana-agent", "mcp-server": "agent",
    "petsite": "orders", "devops-agent": "monitoring", "payments": "async-jobs",
    '"default"': '"prod"', '\\"default\\"': '\\"prod\\"',
    "ip-10-0-1-11.ec2": "ip-192-168-3-14.eu-central-1.compute",
    "ip-10-0-2-22.ec2": "ip-192-168-27-9.eu-central-1.compute",
    "ip-10-0-3-33.ec2": "ip-192-168-55-101.eu-central-1.compute",
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
