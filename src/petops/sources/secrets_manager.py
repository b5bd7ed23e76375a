"""Secrets by reference: a setting may name where its secret is kept in place of holding it.

`secretsmanager:NAME` or `secretsmanager:NAME#KEY` is a secret of AWS Secrets Manager (or one key of
the JSON object that it is), `file:PATH` a file such as Kubernetes mounts. What is read here goes to
the client that needs it, and to no message, journal or log.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from petops.errors import NotThereError, SourceError, UsageError
from petops.sources.aws_calls import PATIENT, AwsCalls, Patience

FILE: Final = "file:"
SECRETS_MANAGER: Final = "secretsmanager:"
_MOST_BYTES: Final = 65_536
_ARN: Final = "arn:"


def is_reference(given: str) -> bool:
    """Say whether a setting only names where its secret is kept."""
    return given.startswith((FILE, SECRETS_MANAGER))


async def secret(
    given: str, *, region: str = "", client: Any = None, patience: Patience = PATIENT
) -> str:
    """Return the secret that a setting holds or names; raise SourceError where it cannot be had."""
    if given.startswith(FILE):
        return await asyncio.to_thread(_of_file, Path(given.removeprefix(FILE)))
    if not given.startswith(SECRETS_MANAGER):
        return given
    name, _, key = given.removeprefix(SECRETS_MANAGER).partition("#")
    if not name:
        raise UsageError(
            f"{SECRETS_MANAGER} names no secret", hint="for example devops-agent/slack-token"
        )
    return chosen(await _of_secrets_manager(name, region, client, patience), key, name)


def chosen(text: str, key: str, name: str) -> str:
    """Return the secret itself, or one key of the JSON object that it is."""
    if not key:
        return text.strip()
    try:
        found = json.loads(text)
        value = found[key]
    except (ValueError, KeyError, TypeError):  # `from None`: the text must not be in a traceback
        value = None
    if not isinstance(value, str) or not value.strip():
        raise SourceError(
            f"the secret {name} has no text under {key!r}",
            hint=f'it should be JSON such as {{"{key}": "…"}}',
        )
    return value.strip()


async def _of_secrets_manager(name: str, region: str, client: Any, patience: Patience) -> str:
    where = region or _region_of(name)
    async with AwsCalls(
        "secretsmanager", "Secrets Manager", region=where, client=client, patience=patience
    ) as calls:
        try:
            answer = await calls.call("get_secret_value", SecretId=name)
        except NotThereError as exc:
            raise NotThereError(
                f"Secrets Manager has no secret {name}",
                hint=f"aws secretsmanager create-secret --name {name} --secret-string …",
            ) from exc
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise SourceError(f"the secret {name} is binary; text or JSON is wanted")
    return text


def _region_of(name: str) -> str:
    parts = name.split(":")
    return parts[3] if name.startswith(_ARN) and len(parts) > 3 else ""


def _of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise SourceError(
            f"the secret in {path} cannot be read: {why}", hint="is it mounted, and readable?"
        ) from exc
    return text.strip()
