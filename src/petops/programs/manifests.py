"""What `kubectl apply -k` installs, printed without kustomize, for one registry and namespace.

Of kustomize's language only what our own kustomizations use is known: lists of resources and of
components, and patches. Anything else in one is an error, and never left out in silence.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

import petops
from petops.errors import PetopsError, UsageError
from petops.programs.manifests_patches import patched

Json = Any

NAMESPACE: Final = "devops-agent"
ACCOUNT: Final = "111122223333"
OVERLAYS: Final = ("read-only", "repair")
COMPONENTS: Final = ("monitoring", "dashboards", "replicas")
_ROLE: Final = "eks.amazonaws.com/role-arn"
_KNOWN: Final = {"apiVersion", "kind", "resources", "components", "patches"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to install, and for whom. An empty `account` leaves the example's in place."""

    overlay: str = "read-only"
    components: Sequence[str] = ()
    namespace: str = NAMESPACE
    registry: str = ""
    account: str = ""
    pod_identity: bool = False


def folder() -> Path:
    """Return where the manifests are: in the wheel, or in the work tree."""
    package = Path(petops.__file__).parent
    for place in (package / "manifests", package.parents[1] / "manifests"):
        if (place / "base" / "kustomization.yaml").is_file():
            return place
    raise PetopsError("the manifests are not installed with petops", hint="install it from a wheel")


def objects(wanted: Wanted) -> list[Json]:
    """Return every object, in the order in which they may be applied."""
    places = [_chosen("overlays", wanted.overlay, OVERLAYS)]
    places += [_chosen("components", one, COMPONENTS) for one in wanted.components]
    found: list[Json] = []
    for place in places:
        found = built(place, found)
    for one in found:
        _adapt(one, wanted)
    return found


def built(place: Path, given: Sequence[Json] = ()) -> list[Json]:
    """Return the objects of one kustomization; a component works on those that are `given`."""
    try:
        plan = yaml.safe_load((place / "kustomization.yaml").read_text(encoding="utf-8"))
    except OSError as exc:
        raise PetopsError(f"{place} is no kustomization: {exc.strerror}") from exc
    unknown = set(plan) - _KNOWN
    if unknown:
        raise PetopsError(f"{place} uses {', '.join(sorted(unknown))}, which petops cannot render")
    found = list(given)
    for name in plan.get("resources", ()):
        below = (place / name).resolve()
        if below.is_dir():
            found += built(below)
        else:
            found += filter(None, yaml.safe_load_all(below.read_text(encoding="utf-8")))
    for name in plan.get("components", ()):
        found = built((place / name).resolve(), found)
    return patched(found, plan.get("patches", ()))


def text(found: Sequence[Json]) -> str:
    """Return objects as one YAML stream."""
    return yaml.dump_all(found, Dumper=_Dumper, sort_keys=False, explicit_start=True, width=100)


def show(wanted: Wanted) -> None:
    """Print what is wanted."""
    sys.stdout.write(text(objects(wanted)))


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as people would."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _chosen(kind: str, name: str, known: Sequence[str]) -> Path:
    if name not in known:
        raise UsageError(f"there is no {name[:40]!r} among the {kind}", hint=", ".join(known))
    return folder() / kind / name


def _adapt(found: Json, wanted: Wanted) -> None:
    metadata = found["metadata"]
    if found["kind"] == "Namespace":
        metadata["name"] = wanted.namespace
    if "namespace" in metadata:
        metadata["namespace"] = wanted.namespace
    for subject in found.get("subjects", ()):
        subject["namespace"] = wanted.namespace
    if found["kind"] == "ServiceAccount":
        _adapt_account(metadata, wanted)
    if found["kind"] == "Deployment" and wanted.registry:
        for container in found["spec"]["template"]["spec"]["containers"]:
            container["image"] = f"{wanted.registry.rstrip('/')}/{container['image']}"


def _adapt_account(metadata: Json, wanted: Wanted) -> None:
    """Say which role the account has at AWS; with Pod Identity only AWS itself says so."""
    if wanted.pod_identity:
        del metadata["annotations"]
    elif wanted.account:
        arn = metadata["annotations"][_ROLE]
        metadata["annotations"][_ROLE] = arn.replace(ACCOUNT, wanted.account)
