"""Settings: frozen, read once, from a file and from variables.

No other package reads the environment.
"""

from petops.config.folders import config_folder, state_folder
from petops.config.loading import Loaded, Shown, load, shown
from petops.config.references import named, read_secrets
from petops.config.sections import (
    AlarmSettings,
    AwsSettings,
    ClusterSettings,
    DaemonSettings,
    EngineSettings,
    JournalSettings,
    PrometheusSettings,
    RepairSettings,
    Settings,
)

__all__ = [
    "AlarmSettings",
    "AwsSettings",
    "ClusterSettings",
    "DaemonSettings",
    "EngineSettings",
    "JournalSettings",
    "Loaded",
    "PrometheusSettings",
    "RepairSettings",
    "Settings",
    "Shown",
    "config_folder",
    "load",
    "named",
    "read_secrets",
    "shown",
    "state_folder",
]
