#!/usr/bin/env python3
# ruff: noqa
# fmt: off
"""Write the cluster of `other_world.py`, with its dialects, under other names."""

import sys

import other_world as original
from other_world import END, SPAN, STEP, MiB, World, labels, since, times  # noqa: F401

RENAMED = {
    "storefront": "portal", "billing-gateway": "invoice-relay", "billing": "invoice",
    "ledger": "archive", "fx-rates": "quote-engine", "session-cache": "kv-store",
    "log-shipper": "fluent-bit", '"shop"': '"public"', "finance": "backoffice",
    "observability": "telemetry", "172.20.4.90": "10.44.0.90",
    "ip-172-20-4-7.eu-west-1": "ip-10-44-3-9.ap-south-1", "172.20.4.7": "10.44.3.9",
    "ip-172-20-6-52.eu-west-1": "ip-10-44-7-61.ap-south-1", "172.20.6.52": "10.44.7.61",
    "ip-172-20-8-19.eu-west-1": "ip-10-44-9-128.ap-south-1", "172.20.8.19": "10.44.9.128",
}


def renamed(text):
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    return text


NODES = [renamed(node) for node in original.NODES]
ADDRESSES = [renamed(address) for address in original.ADDRESSES]
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
