"""What a daemon is given whose cluster is away, and whose secrets are kept elsewhere."""

from __future__ import annotations

import json
from pathlib import Path


def kubeconfig(folder: Path, server: str, *, user: str = "u") -> Path:
    """Write a kubeconfig for this API server, with a token, and return where."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": user}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def secrets_kept_at(url: str) -> dict[str, str]:
    """Return the environment of who asks Secrets Manager there, as anybody."""
    return {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
