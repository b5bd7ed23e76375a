#!/usr/bin/env python3
"""Clusters that are another one's under other names: what each thing is called there.

`python3 renamed_worlds.py NAME FILE` writes one. Where `requests` or `containers` stand, labels
have other names too: those of the services' own metrics, and of cAdvisor's; node_exporter knows
a node only as an `instance` then.
"""

import importlib
import re
import sys
from pathlib import Path

TABLE = {
    "fourth_world": {
        "of": "other_world",
        "names": {
            "storefront": "portal",
            "billing-gateway": "invoice-relay",
            "billing": "invoice",
            "ledger": "archive",
            "fx-rates": "quote-engine",
            "session-cache": "kv-store",
            "log-shipper": "fluent-bit",
            '"shop"': '"public"',
            "finance": "backoffice",
            "observability": "telemetry",
            "172.20.4.90": "10.44.0.90",
            "ip-172-20-4-7.eu-west-1": "ip-10-44-3-9.ap-south-1",
            "172.20.4.7": "10.44.3.9",
            "ip-172-20-6-52.eu-west-1": "ip-10-44-7-61.ap-south-1",
            "172.20.6.52": "10.44.7.61",
            "ip-172-20-8-19.eu-west-1": "ip-10-44-9-128.ap-south-1",
            "172.20.8.19": "10.44.9.128",
        },
    },
    "eighth_world": {  # a library
        "of": "world",
        "names": {
            "petadoptionshistory-py": "borrow-history-py",
            "payforadoption-go": "charge-card-go",
            "petlistadoptions-go": "shelf-list-go",
            "petsearch-java": "title-search",
            "trafficgenerator": "loadrunner",
            "checkout-worker": "label-printer",
            "prometheus-mcp-server": "metrics-gateway",
            "mcp-server": "gateway",
            "petadoptionshistory": "borrow-history",
            "petsite": "bookstore-web",
            "devops-agent": "platform-ops",
            "payments": "shipping",
            '"default"': '"library"',
            '\\"default\\"': '\\"library\\"',
            "ip-10-0-1-11.ec2": "ip-172-31-5-17.us-west-2.compute",
            "ip-10-0-2-22.ec2": "ip-172-31-9-40.us-west-2.compute",
            "ip-10-0-3-33.ec2": "ip-172-31-12-208.us-west-2.compute",
        },
    },
    "ninth_world": {  # an airline
        "of": "world",
        "names": {
            "petadoptionshistory-py": "itinerary-rb",
            "payforadoption-go": "ticketing-kt",
            "petlistadoptions-go": "seatmap-go",
            "petsearch-java": "flight-search",
            "petadoptionshistory": "itinerary",
            "trafficgenerator": "synthetic-users",
            "checkout-worker": "invoice-mailer",
            "prometheus-mcp-server": "otel-collector",
            "mcp-server": "collector",
            "petsite": "booking-ui",
            "devops-agent": "sre-tools",
            "payments": "backoffice-prod",
            '"default"': '"travel"',
            '\\"default\\"': '\\"travel\\"',
            "ip-10-0-1-11.ec2": "ip-10-60-12-5.ap-southeast-2.compute",
            "ip-10-0-2-22.ec2": "ip-10-60-31-77.ap-southeast-2.compute",
            "ip-10-0-3-33.ec2": "ip-10-60-48-140.ap-southeast-2.compute",
        },
        "requests": {"service": "app", "code": "status"},
        "containers": {"pod": "pod_name", "container": "container_name"},
    },
    "tenth_world": {  # a shop, of which one begins another
        "of": "world",
        "names": {
            "petsite-.*": "orders-7c9d5f6b8-.*",
            "petadoptionshistory-py": "recommendations",
            "payforadoption-go": "payment-api-v2",
            "petlistadoptions-go": "inventory",
            "petsearch-java": "orders-search",
            "petadoptionshistory": "recommendations",
            "trafficgenerator": "k6-runner",
            "checkout-worker": "email-worker",
            "prometheus-mcp-server": "grafana-agent",
            "mcp-server": "agent",
            "petsite": "orders",
            "devops-agent": "monitoring",
            "payments": "async-jobs",
            '"default"': '"prod"',
            '\\"default\\"': '\\"prod\\"',
            "ip-10-0-1-11.ec2": "ip-192-168-3-14.eu-central-1.compute",
            "ip-10-0-2-22.ec2": "ip-192-168-27-9.eu-central-1.compute",
            "ip-10-0-3-33.ec2": "ip-192-168-55-101.eu-central-1.compute",
        },
    },
    "eleventh_world": {  # an insurer
        "of": "world",
        "names": {
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
        },
        "requests": {
            "service": "kubernetes_name",
            "code": "status_code",
            "pod": "kubernetes_pod_name",
            "namespace": "kubernetes_namespace",
        },
        "containers": {},
    },
    "twelfth_world": {  # a power company
        "of": "world",
        "names": {
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
        },
    },
    "thirteenth_world": {  # a music service
        "of": "world",
        "names": {
            "petadoptionshistory-py": "play-history",
            "payforadoption-go": "license-check",
            "petlistadoptions-go": "playlist-api",
            "petsearch-java": "lyrics-finder",
            "petadoptionshistory": "play-history",
            "trafficgenerator": "load-gen",
            "checkout-worker": "transcoder",
            "prometheus-mcp-server": "log-router",
            "mcp-server": "router",
            "petsite": "web-player",
            "devops-agent": "platform",
            "payments": "media",
            '"default"': '"music"',
            '\\"default\\"': '\\"music\\"',
            "ip-10-0-1-11.ec2": "ip-172-16-4-21.eu-west-3.compute",
            "ip-10-0-2-22.ec2": "ip-172-16-18-3.eu-west-3.compute",
            "ip-10-0-3-33.ec2": "ip-172-16-29-144.eu-west-3.compute",
        },
        "requests": {"service": "job", "code": "status"},
        "containers": {},
    },
    "fourteenth_world": {  # a forwarder
        "of": "world",
        "names": {
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
        },
    },
    "fifteenth_world": {  # a league
        "of": "world",
        "names": {
            "petadoptionshistory-py": "score-keeper",
            "payforadoption-go": "odds-engine",
            "petlistadoptions-go": "team-roster",
            "petsearch-java": "match-finder",
            "petadoptionshistory": "score-keeper",
            "trafficgenerator": "fan-simulator",
            "checkout-worker": "ticket-printer",
            "prometheus-mcp-server": "edge-proxy",
            "mcp-server": "envoy",
            "petsite": "stadium-web",
            "devops-agent": "ingress",
            "payments": "box-office",
            '"default"': '"league"',
            '\\"default\\"': '\\"league\\"',
            "ip-10-0-1-11.ec2": "ip-10-200-5-31.eu-west-2.compute",
            "ip-10-0-2-22.ec2": "ip-10-200-16-90.eu-west-2.compute",
            "ip-10-0-3-33.ec2": "ip-10-200-27-205.eu-west-2.compute",
        },
        "requests": {"service": "app", "code": "status"},
        "containers": {"pod": "pod_name", "container": "container_name"},
    },
    "sixteenth_world": {  # a hospital
        "of": "world",
        "names": {
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
        },
        "requests": {"service": "job", "code": "status"},
        "containers": {},
    },
}


class Renamed:
    """A world as `score.py` uses one: its moment, its nodes and services, and what builds it."""

    def __init__(self, of, names, requests=None, containers=None):
        self._original = importlib.import_module(of)
        self._names = names
        self._labels = None if requests is None else {"http_": requests, "container_": containers}
        for constant in ("END", "SPAN", "STEP"):
            setattr(self, constant, getattr(self._original, constant))
        self.NODES = [self.renamed(node) for node in self._original.NODES]
        if hasattr(self._original, "ADDRESSES"):
            self.ADDRESSES = [self.renamed(address) for address in self._original.ADDRESSES]
        self.SERVICES = {
            self.renamed(name): (
                self.renamed(f'"{namespace}"').strip('"'),
                self.renamed(container),
                [self.renamed(pod) for pod in pods],
                *rest,
            )
            for name, (namespace, container, pods, *rest) in self._original.SERVICES.items()
        }

    def renamed(self, text):
        for old, new in self._names.items():
            text = text.replace(old, new)
        return text

    def build(self):
        built = self._original.build()
        built.families = {
            family: (
                kind,
                [
                    (name, self._relabelled(family, self.renamed(labels)), points)
                    for name, labels, points in rows
                ],
            )
            for family, (kind, rows) in built.families.items()
        }
        return built

    def _relabelled(self, family, labels):
        if self._labels is None:
            return labels
        renamed = next(
            (one for begins, one in self._labels.items() if family.startswith(begins)), {}
        )
        for old, new in renamed.items():
            labels = re.sub(rf"([{{,]){old}=", rf"\1{new}=", labels)
        if family.startswith("node_"):
            labels = re.sub(r'([{,])node="[^"]*",', r"\1", labels)
        return labels


def named(name):
    """Return a world by its name: one of the table, or a module beside this one."""
    return Renamed(**TABLE[name]) if name in TABLE else importlib.import_module(name)


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w", encoding="utf-8") as out:
        named(sys.argv[1]).build().write(out)
