"""Which objects a controller takes for its own: it adopts what fits, and lets go what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from petops.lab.pod_facts import controller_of, owner_reference
from petops.lab.resources import stored
from petops.lab.selectors import selects
from petops.lab.stage import CONTROLLERS, Stage
from petops.lab.store import Json, key_of


def claimed(
    stage: Stage,
    resource: str,
    owner_resource: str,
    owner: Json,
    could_be: Callable[[Json], bool] = lambda _: True,
) -> list[Json]:
    """Return what an owner controls, by name, after what real controllers do first.

    They adopt objects without a controller that their selector fits, and release those that it
    fits no longer: a pod that somebody relabels to look at it in peace is replaced. `could_be` says
    what of the rest could be an owner's: a StatefulSet takes only pods of its names.
    """
    metadata, selector = owner["metadata"], owner["spec"].get("selector")
    leaves, found = "deletionTimestamp" in metadata, []
    for one in stage.store.objects(resource, metadata["namespace"]):
        by = controller_of(one)
        if by is not None and by.get("uid") != metadata["uid"]:
            continue
        fits = fits_selector(selector, one)
        if by is not None and (fits or leaves):
            found.append(one)
        elif by is not None:
            _release(stage, resource, one, metadata["uid"])
        elif fits and not leaves and "deletionTimestamp" not in one["metadata"] and could_be(one):
            adopted = _adopt(stage, resource, one, owner_resource, owner)
            if adopted is not None:
                found.append(adopted)
    return sorted(found, key=key_of)


def fits_selector(selector: Json | None, found: Json) -> bool:
    """Say whether a selector fits an object; an empty one fits nothing."""
    labels = found["metadata"].get("labels") or {}
    return bool(selector) and selects(selector, labels)


def _adopt(stage: Stage, resource: str, found: Json, kind: str, owner: Json) -> Json | None:
    row = stored(kind)
    reference = owner_reference(row.api_version, row.kind, owner)

    def adopt(one: Json) -> None:
        one["metadata"].setdefault("ownerReferences", []).append(reference)

    return stage.edit(CONTROLLERS, resource, key_of(found), adopt)


def _release(stage: Stage, resource: str, found: Json, uid: str) -> None:
    def release(one: Json) -> None:
        owners: list[Any] = one["metadata"].get("ownerReferences") or []
        left = [owner for owner in owners if owner.get("uid") != uid]
        if left:
            one["metadata"]["ownerReferences"] = left
        else:
            one["metadata"].pop("ownerReferences", None)

    stage.edit(CONTROLLERS, resource, key_of(found), release)
