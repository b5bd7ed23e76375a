"""Secrets by reference: where they come from, and that they go nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from petops.config import DaemonSettings, JournalSettings, PrometheusSettings, Settings
from petops.errors import ForbiddenError, NotThereError, PetopsError, SourceError, UsageError
from petops.secrets_access import is_read, when_read, with_secrets, with_secrets_at_hand
from petops.sources.secrets_manager import secret

TOKEN = "xoxb-12-very-secret"  # noqa: S105


class Secrets:
    """A client of Secrets Manager."""

    def __init__(self, text: str = "", code: str = "") -> None:
        self.text, self.code = text, code

    def get_secret_value(self, **arguments: Any) -> dict[str, Any]:
        if self.code:
            error = {"Error": {"Code": self.code, "Message": "no"}}
            raise ClientError(error, "GetSecretValue")
        assert arguments == {"SecretId": "devops-agent/slack-token"}
        return {"SecretString": self.text}


async def test_a_setting_that_is_the_secret_itself_stays_so() -> None:
    assert await secret(TOKEN) == TOKEN


async def test_a_file_is_read_as_kubernetes_mounts_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    assert await secret(f"file:{tmp_path}/token") == TOKEN


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("secretsmanager:devops-agent/slack-token", TOKEN),
        ("secretsmanager:devops-agent/slack-token#bot", json.dumps({"bot": TOKEN, "app": "x"})),
    ],
)
async def test_secrets_manager_holds_text_or_json(given: str, text: str) -> None:
    assert await secret(given, client=Secrets(text)) == TOKEN


@pytest.mark.parametrize(
    ("given", "client", "expected"),
    [
        ("file:/nowhere/at/all", None, SourceError),
        ("secretsmanager:", None, UsageError),
        (
            "secretsmanager:devops-agent/slack-token",
            Secrets(code="ResourceNotFoundException"),
            NotThereError,
        ),
        (
            "secretsmanager:devops-agent/slack-token",
            Secrets(code="AccessDeniedException"),
            ForbiddenError,
        ),
        ("secretsmanager:devops-agent/slack-token#app", Secrets(TOKEN), SourceError),
        ("secretsmanager:devops-agent/slack-token#app", Secrets('{"bot": "x"}'), SourceError),
        ("secretsmanager:devops-agent/slack-token#app", Secrets('["x"]'), SourceError),
    ],
)
async def test_what_cannot_be_had_is_one_sentence_without_the_secret(
    given: str, client: Any, expected: type[PetopsError]
) -> None:
    with pytest.raises(expected) as raised:
        await secret(given, client=client)
    assert TOKEN not in raised.value.message
    assert raised.value.__cause__ is None or TOKEN not in str(raised.value.__cause__)
    assert raised.value.hint


async def test_every_secret_setting_may_be_a_reference(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("daemon-token", encoding="utf-8")
    settings = Settings(
        daemon=DaemonSettings(token=f"file:{tmp_path}/one", port=1),
        prometheus=PrometheusSettings(token=f"file:{tmp_path}/two", url="file:no-secret"),
    )
    said: list[str] = []
    found = await with_secrets(settings, said.append)
    assert found.daemon == DaemonSettings(token="daemon-token", port=1)  # noqa: S106
    assert found.prometheus == PrometheusSettings(token="", url="file:no-secret")
    (line,) = said
    assert line.startswith("prometheus.token is not set: the secret in ")


async def test_an_engine_begins_with_what_lies_at_hand(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("daemon-token", encoding="utf-8")
    far = "secretsmanager:devops-agent/prometheus"
    settings = Settings(
        daemon=DaemonSettings(token=f"file:{tmp_path}/one"),
        prometheus=PrometheusSettings(token=far, mcp_token=f"file:{tmp_path}/two"),
    )
    said: list[str] = []
    found = await with_secrets_at_hand(settings, said.append)
    assert found.daemon.token == "daemon-token"  # noqa: S105
    assert (found.prometheus.token, found.prometheus.mcp_token) == (far, "")
    assert is_read(found, "daemon")
    assert not is_read(found, "prometheus")
    assert len(said) == 1


async def test_what_is_not_there_yet_is_told_of_once_and_waited_for(tmp_path: Path) -> None:
    """As for the address of a journal that is shared: no engine begins one of its own instead."""
    place = tmp_path / "url"
    settings = Settings(
        journal=JournalSettings(url=f"file:{place}"),
        daemon=DaemonSettings(token=f"file:{tmp_path}/never"),
    )
    said: list[str] = []
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            place.write_text("postgresql://x@db/petops", encoding="utf-8")

    found = await when_read(settings, "journal", said.append, pause=pause)
    assert found.journal.url == "postgresql://x@db/petops"
    assert found.daemon == settings.daemon
    assert pauses == [1, 5, 15, 60, 60]
    (line,) = said
    assert line.startswith("journal.url is not there yet: ")
    assert "keeps trying" in line
