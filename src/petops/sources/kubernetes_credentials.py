"""Where the API server is and who we are there: a kubeconfig's word, or the pod's own account.

The vendor's loader logs what a credential program said and goes on without credentials; here that
is an error that people are told.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from petops.domain.subject import ClusterName
from petops.errors import SourceError

Reload = Callable[[], Awaitable[None]]

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_EKS_ARN: Final = re.compile(r"arn:[\w-]+:eks:([\w-]+):(\d{12}):cluster/([\w-]+)")
_EKSCTL: Final = re.compile(r"([\w-]+)\.([\w-]+)\.eksctl\.io")
_VENDORS_LOG: Final = "kubernetes.aio.config.kube_config"
_MALFORMED: Final = (ValueError, TypeError, AttributeError, KeyError)  # as the loader meets it
_LOADING_SECONDS: Final = 30.0  # `aws eks get-token` takes 1 to 3


def cluster_name(entry: str) -> ClusterName:
    """Return which cluster a kubeconfig's entry is, by the names that the AWS tools give."""
    if found := _EKS_ARN.fullmatch(entry):
        return ClusterName(name=found[3], account=found[2], region=found[1])
    if found := _EKSCTL.fullmatch(entry):
        return ClusterName(name=found[1], region=found[2])
    return ClusterName(name=entry)


async def credentials(
    kubeconfig: str, context: str, configuration: Any
) -> tuple[ClusterName, Reload | None]:
    """Fill the vendor's configuration; return the cluster's name, and how to fill it again."""
    if not kubeconfig and _SERVICE_ACCOUNT.exists():
        _by_service_account(configuration)
        return ClusterName(name=""), None  # the client reads the account's token anew by itself
    place = kubeconfig or str(Path.home() / ".kube" / "config")

    async def reload() -> None:
        await _by_kubeconfig(place, context or None, configuration)

    entry = await _by_kubeconfig(place, context or None, configuration)
    return cluster_name(entry), reload


async def _by_kubeconfig(place: str, context: str | None, configuration: Any) -> str:
    """Read the kubeconfig; return the name of its cluster's entry."""
    from kubernetes.aio.config import ConfigException, load_kube_config  # noqa: PLC0415
    from yaml import YAMLError  # noqa: PLC0415

    vendor: Any = load_kube_config  # carries no types
    if not _is_somewhere(place):
        raise SourceError(
            f"there is no kubeconfig at {place}",
            hint="set KUBECONFIG, or run `aws eks update-kubeconfig --name CLUSTER`",
        )
    try:
        with _logged() as said:
            async with asyncio.timeout(_LOADING_SECONDS):
                loader = await vendor(
                    config_file=place,
                    context=context,
                    client_configuration=configuration,
                    persist_config=False,
                )
    except (ConfigException, YAMLError, OSError, *_MALFORMED) as exc:
        why = " ".join(str(exc).split())  # a parser's message has lines
        raise SourceError(
            f"the kubeconfig {place} cannot be used: {why or type(exc).__name__}",
            hint="see whether `kubectl config view --minify` works",
        ) from exc
    if said and not {"token", "cert_file"} & {key for key, one in vars(loader).items() if one}:
        raise SourceError(
            f"the program that {place} names gave no credentials: {' '.join(said[-1].split())}",
            hint="see whether `kubectl auth whoami` works; `aws sso login` may be what is missing",
        )
    return str(loader.current_context["context"]["cluster"])


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect what the vendor's loader logs as an error, in place of showing it."""
    said: list[str] = []
    log = logging.getLogger(_VENDORS_LOG)

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            said.append(record.getMessage())
        return False

    log.addFilter(keep)
    try:
        yield said
    finally:
        log.removeFilter(keep)


def _is_somewhere(place: str) -> bool:
    """Say whether any of the files that KUBECONFIG may list exists."""
    return any(Path(one).expanduser().is_file() for one in place.split(":") if one)


def _by_service_account(configuration: Any) -> None:
    from kubernetes.aio.config import ConfigException, load_incluster_config  # noqa: PLC0415

    vendor: Any = load_incluster_config  # carries no types
    try:
        vendor(client_configuration=configuration)
    except (ConfigException, OSError) as exc:
        raise SourceError(f"the pod's service account cannot be used: {exc}") from exc
