"""What a write compares and keeps."""

from __future__ import annotations

from petops.lab.store import Json, clone


def metadata_of(before: Json, now: Json) -> Json:
    """Return what stands in the metadata after a write to the status."""
    metadata: Json = clone(before["metadata"])
    if now["metadata"].get("resourceVersion"):
        metadata["resourceVersion"] = now["metadata"]["resourceVersion"]
    return metadata


def same(before: Json, now: Json) -> bool:
    """Say whether nothing changes but who owns what, and when they last wrote."""

    def bare(found: Json) -> Json:
        metadata = {
            k: v
            for k, v in found["metadata"].items()
            if k not in {"managedFields", "resourceVersion"}
        }
        return {**found, "metadata": metadata}

    unchanged = bare(before) == bare(now)
    owners = [entry.get("manager") for entry in now["metadata"].get("managedFields") or ()]
    were = [entry.get("manager") for entry in before["metadata"].get("managedFields") or ()]
    return unchanged and owners == were
