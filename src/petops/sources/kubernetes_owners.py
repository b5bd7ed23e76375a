"""Who manages an object from outside the cluster, by its labels and annotations. Pure."""

from __future__ import annotations

from typing import Any

from petops.sources.kubernetes_shapes import labels_of

Json = Any


def managed_by(found: Json) -> str:
    """Name the tool that would undo a change made here; empty where none is seen.

    Argo CD and Flux before Helm, since they deploy charts too.
    """
    labels, notes = labels_of(found), found["metadata"].get("annotations") or {}
    if tracked := notes.get("argocd.argoproj.io/tracking-id"):
        return f"Argo CD application {tracked.partition(':')[0]}"
    if name := labels.get("argocd.argoproj.io/instance"):
        return f"Argo CD application {name}"
    for group, kind in (("kustomize", "Kustomization"), ("helm", "HelmRelease")):
        if name := labels.get(f"{group}.toolkit.fluxcd.io/name"):
            place = labels.get(f"{group}.toolkit.fluxcd.io/namespace", "")
            return f"Flux {kind} {place}/{name}" if place else f"Flux {kind} {name}"
    if labels.get("app.kubernetes.io/managed-by") == "Helm" or "meta.helm.sh/release-name" in notes:
        return f"Helm release {notes.get('meta.helm.sh/release-name', '')}".rstrip()
    return ""
