"""Adapters that read evidence: metrics, alarms, traces, logs and Kubernetes."""
