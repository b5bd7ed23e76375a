"""What the engine needs of the world, and what surfaces need of an engine."""

from petops.ports.absent import NO_CLOUD, NO_LOGS, NO_TRACES
from petops.ports.answers import Told
from petops.ports.cluster import UNLIMITED_BYTES, Actuator, Cluster, Headroom, Site, WorkloadState
from petops.ports.engine import Clock, EngineHandle, Journal
from petops.ports.kubernetes_api import RESOURCES, ApiAnswer, KubernetesCalls, object_path
from petops.ports.telemetry import Cloud, Logs, Metrics, Traces

__all__ = [
    "NO_CLOUD",
    "NO_LOGS",
    "NO_TRACES",
    "RESOURCES",
    "UNLIMITED_BYTES",
    "Actuator",
    "ApiAnswer",
    "Clock",
    "Cloud",
    "Cluster",
    "EngineHandle",
    "Headroom",
    "Journal",
    "KubernetesCalls",
    "Logs",
    "Metrics",
    "Site",
    "Told",
    "Traces",
    "WorkloadState",
    "object_path",
]
