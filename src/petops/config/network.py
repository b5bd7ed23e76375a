"""Proxies and certificate authorities, as the variables that every program knows name them.

Most clients read HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE themselves; what is here is for those that
have to be told, so that one set of variables holds for all of them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

_SCHEMES: Final = {"ws": "http", "wss": "https"}


def proxy_for(url: str, proxies: Mapping[str, str] | None = None) -> str | None:
    """Return the proxy by which `url` is reached; None if directly.

    `proxies` is what the environment says, if nothing else is given: `http`, `https`, `all`, `no`.
    """
    known = getproxies() if proxies is None else proxies
    parts = urlsplit(url)
    host, scheme = parts.hostname or "", _SCHEMES.get(parts.scheme, parts.scheme)
    chosen = known.get(scheme) or known.get("all")
    if not chosen or _goes_directly(host, parts.port, known.get("no", "")):
        return None
    return chosen if "://" in chosen else f"http://{chosen}"


def _goes_directly(host: str, port: int | None, listed: str) -> bool:
    """Say whether NO_PROXY names a host: itself, a domain above it, or a network that it is in."""
    for one in (each.strip().lower() for each in listed.split(",")):
        if one == "*":
            return True
        name, _, only = one.rpartition(":")
        if name and only.isdigit() and ":" not in name:
            if port != int(only):
                continue
            one = name  # noqa: PLW2901 - the same entry without its port
        if one and (_is_in(host, one) or _is_below(host, one.removeprefix("*"))):
            return True
    return False


def _is_below(host: str, domain: str) -> bool:
    bare = domain.lstrip(".")
    return bool(bare) and (host == bare or host.endswith(f".{bare}"))


def _is_in(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False


def trusted(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make boto3 and requests heed SSL_CERT_FILE as others do."""
    file = environment.get("SSL_CERT_FILE", "")
    if not file or environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE"):
        return {}
    return {"REQUESTS_CA_BUNDLE": file}  # botocore reads it too, after its own AWS_CA_BUNDLE
