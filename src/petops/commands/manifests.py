"""`petops manifests`: what to install in a cluster."""

from __future__ import annotations

import re
from typing import Annotated

import typer

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"\d{12}")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise typer.BadParameter("a namespace is lower case letters, digits and dashes")
    return text


def _account(text: str) -> str:
    if text and not _ACCOUNT.fullmatch(text):
        raise typer.BadParameter("an AWS account is twelve digits")
    return text


def manifests(
    overlay: Annotated[
        str, typer.Option(help="read-only (it looks and says), or repair (it may change things).")
    ] = "read-only",
    registry: Annotated[
        str, typer.Option(metavar="PREFIX", help="Where the image is: REGISTRY/FOLDER.")
    ] = "",
    namespace: Annotated[
        str, typer.Option(callback=_name, help="Namespace to install into.")
    ] = "devops-agent",
    account: Annotated[
        str, typer.Option(callback=_account, help="AWS account of the roles (IRSA).")
    ] = "",
    pod_identity: Annotated[
        bool, typer.Option(help="For EKS Pod Identity: leave the roles' annotations out.")
    ] = False,
    component: Annotated[
        list[str] | None,
        typer.Option(
            help="monitoring (Prometheus operator), dashboards (Grafana), replicas (two engines "
            "on PostgreSQL); repeatable."
        ),
    ] = None,
) -> None:
    """Print what petops needs in a cluster, for `kubectl apply -f -`."""
    from petops.programs.manifests import Wanted, show

    show(
        Wanted(
            overlay=overlay,
            components=tuple(component or ()),
            namespace=namespace,
            registry=registry,
            account=account,
            pod_identity=pod_identity,
        )
    )
