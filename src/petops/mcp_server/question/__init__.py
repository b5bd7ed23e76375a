"""Questions in plain words to PromQL: a grammar, and the names that one Prometheus has."""

from petops.mcp_server.question.catalogue import Catalogue
from petops.mcp_server.question.translate import Refused, Translation, translate

__all__ = ["Catalogue", "Refused", "Translation", "translate"]
