"""Two real daemons with a Lease and a shared journal: one ends while alarms come, the other leads.

Nothing that was sent is lost, nothing stands in the journal twice, and who follows misses nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from petops.lab.aws import Aws, running_aws
from tests import postgres
from tests.lab.kubectl import served
from tests.surfaces.replicas import (
    LEASE,
    TOKEN,
    Pair,
    Replica,
    followed,
    judged,
    lease,
    pair_of,
)

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Two replicas at work, and what they share."""

    api: str
    database: str
    aws: Aws
    pair: Pair


def kubeconfig(api: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": api}}],
            "users": [{"name": "lab-admin", "user": {"token": "lab-admin"}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab-admin"}}],
        }
    )


@asynccontextmanager
async def two_replicas(folder: Path) -> AsyncIterator[Stage]:
    """Two daemons on the lab's API, with its queue, and a database of their own."""
    with postgres.running() as database:
        async with served() as api, running_aws(folder / "aws") as aws:
            # What the one that is killed had in hand comes again soon, or before it is journaled.
            seconds = {"VisibilityTimeout": "2"}
            await aws.call(
                "sqs", "set_queue_attributes", QueueUrl=aws.queue_url, Attributes=seconds
            )
            (folder / "kubeconfig").write_text(kubeconfig(api), encoding="utf-8")
            kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
            shared = {
                **kept,
                **aws.environment(),
                "HOME": str(folder),
                "KUBECONFIG": str(folder / "kubeconfig"),
                "PETOPS_JOURNAL_URL": database,
                "PETOPS_LEASE": LEASE,
                "PETOPS_TOKEN": TOKEN,
                "PETOPS_SQS_QUEUE_URL": aws.queue_url,
            }
            one, two = (Replica(name, shared, folder) for name in ("one", "two"))
            async with pair_of(one, two) as pair:
                await pair.ready()
                yield Stage(api=api, database=database, aws=aws, pair=pair)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda one: one.name)
async def test_the_other_takes_over_while_alarms_come(
    number: signal.Signals, tmp_path: Path
) -> None:
    if postgres.programs() is None:
        pytest.skip("there is no PostgreSQL here; scripts/postgres.sh fetches one")
    async with two_replicas(tmp_path) as stage:
        pair = stage.pair
        first = await pair.leader()
        second = pair.other(first)
        before = await lease(stage.api)
        async with followed(second.url) as seen:
            async with pair.alarms(stage.aws):
                await until(lambda: len(pair.sent) >= 20)
                status = await first.end(number)
                holder = (await lease(stage.api))["holderIdentity"]
                assert await pair.leader([second]) is second
                already = len(pair.sent)
                await until(lambda: len(pair.sent) >= already + 20)
            found = await judged(stage.database, pair.sent, patience=60)
            await until(lambda: bool(seen) and seen[-1] >= found.entries)
        if number is signal.SIGTERM:
            assert status == 0
            assert holder != first.name, "it gave the Lease back before it was gone"
        else:
            assert holder == first.name, "it had no time to say a word"
        assert found.lost == ()
        assert found.twice == ()
        assert found.chain.faults == ()
        assert seen == list(range(1, len(seen) + 1))
        after = await lease(stage.api)
        assert after["holderIdentity"] == second.name
        assert after["leaseTransitions"] == before["leaseTransitions"] + 1
        assert "Traceback" not in first.said + second.said
