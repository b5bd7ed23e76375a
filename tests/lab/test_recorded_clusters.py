"""Recorded folders, served as clusters to read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from petops.errors import UsageError
from petops.lab.kubernetes_request import ApiRequest
from petops.lab.recorded import recorded_api, recorded_at, recorded_store

RECORDINGS = Path(__file__).parent.parent / "recordings"
CASES = sorted(path.name for path in RECORDINGS.iterdir() if (path / "pods.json").is_file())


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_a_cluster(case: str) -> None:
    api = recorded_api(RECORDINGS / case)
    for path in ("/api/v1/pods", "/apis/apps/v1/deployments", "/api/v1/namespaces"):
        answer = api.answer(ApiRequest.of("GET", path))
        assert answer.status == 200
        assert answer.json()["items"]
    assert recorded_at(RECORDINGS / case).year == 2026


def test_objects_keep_their_uid_and_version() -> None:
    store = recorded_store(RECORDINGS / "oomkill")
    pod = store.get("pods", "oomkill", "orders-api-86646998c7-dhxfs")
    assert pod["metadata"]["uid"] == "ce9a439e-6363-4baa-8167-e14ce28c37a8"
    assert pod["metadata"]["resourceVersion"] == "1584"
    assert store.version >= 1646


def test_now_is_the_latest_time_that_was_recorded() -> None:
    at = recorded_at(RECORDINGS / "oomkill")
    assert (
        datetime(2026, 11, 23, 4, 59, 30, tzinfo=UTC)
        < at
        < datetime(2026, 11, 23, 5, 1, tzinfo=UTC)
    )


def test_logs_are_those_that_were_recorded() -> None:
    api = recorded_api(RECORDINGS / "oomkill")
    url = "/api/v1/namespaces/oomkill/pods/orders-api-86646998c7-dhxfs/log?tailLines=1"
    answer = api.answer(ApiRequest.of("GET", f"{url}&previous=true"))
    assert isinstance(answer.body, bytes)
    assert b'"msg": "order cache refreshed"' in answer.body


def test_a_folder_without_a_case_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recorded case"):
        recorded_at(tmp_path / "nothing")
    with pytest.raises(UsageError, match="holds no recorded"):
        recorded_api(tmp_path)
    (tmp_path / "pods.json").write_text("{")
    with pytest.raises(UsageError, match="no JSON"):
        recorded_store(tmp_path)
