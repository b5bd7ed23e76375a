"""Objects as JSON text, each written once: what makes a list of thousands cheap."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from petops.lab.kubernetes_forms import in_version
from petops.lab.resource_rows import Resource
from petops.lab.store import Json, key_of

_KEPT: Final = 20_000


class Fragments:
    """Remembers the text of stored objects, which never change in place."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, str, str, str], tuple[Json, bytes]] = {}

    def listed(self, resource: Resource, found: Iterable[Json], metadata: Json) -> bytes:
        """Return a list's whole body."""
        head = {
            "kind": f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": metadata,
        }
        items = b", ".join([self._text(resource, one) for one in found])
        return json.dumps(head).encode()[:-1] + b', "items": [' + items + b"]}"

    def prepare(self, resource: Resource, found: Iterable[Json]) -> None:
        """Write objects before anybody asks for them."""
        for one in found:
            self._text(resource, one)

    def _text(self, resource: Resource, found: Json) -> bytes:
        key = (resource.group, resource.plural, *key_of(found))
        known = self._written.get(key)
        if known is not None and known[0] is found:
            return known[1]
        text = json.dumps(in_version(resource, found)).encode()
        if len(self._written) >= _KEPT:
            self._written.clear()
        self._written[key] = (found, text)
        return text
