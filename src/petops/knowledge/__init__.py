"""An organisation's own knowledge: failure modes, remedies, sources and runbooks.

They come from installed packages (entry points) or from a folder, and stand in the same catalogues
as petops' own. What cannot be loaded is told as trouble; the rest works without it.
"""

from petops.knowledge.base import Knowledge, OwnSource
from petops.knowledge.checking import problems
from petops.knowledge.loading import loaded
from petops.knowledge.pages import parsed

__all__ = ["Knowledge", "OwnSource", "loaded", "parsed", "problems"]
