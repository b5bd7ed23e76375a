"""The failure modes that petops knows. To add one: its file, its test, and a line here."""

from collections.abc import Mapping
from types import MappingProxyType

from petops.playbooks import memory_leak
from petops.playbooks.base import FailureMode

MODES: Mapping[str, FailureMode] = MappingProxyType(
    {mode.name: mode for mode in (memory_leak.MODE,)}
)
