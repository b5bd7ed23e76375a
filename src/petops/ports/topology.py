"""What intake asks of the cluster as a whole."""

from __future__ import annotations

from typing import Protocol

from petops.domain.topology import Topology


class TopologySource(Protocol):
    """What runs where, and who calls whom."""

    async def topology(self) -> Topology:
        """Return the cluster as it is now; a part that cannot be read is left out.

        Raise SourceError where nothing can be.
        """
