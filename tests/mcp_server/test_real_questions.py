"""Questions on a real Prometheus: scores, the command's contract, PromQL that parses."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from petops.errors import SourceError
from petops.mcp_server.client import PrometheusAccess, PrometheusHttp
from petops.mcp_server.question import Translation, translate
from petops.mcp_server.question.lexicon import MEANINGS
from tests.mcp_server.clusters import NOW, PODS, common, other

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PETOPS = Path(sys.executable).with_name("petops")
WORDS = sorted({word for row in MEANINGS.values() for word in row.split()})
NAMES = [*PODS, "shop", "node-a", "the last hour", "80%", "3", "p95", "an hour ago", "in 2 hours"]


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[PrometheusHttp]:
    folders = (str(Path(sys.executable).parent), os.environ["PATH"])
    program = shutil.which("prometheus", path=os.pathsep.join(folders))
    assert program, "`make setup` gets a prometheus"
    (tmp_path / "prometheus.yml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        async with PrometheusHttp(PrometheusAccess(url=f"http://127.0.0.1:{port}")) as client:
            async with asyncio.timeout(30):
                while True:
                    try:
                        await client.check()
                        break
                    except SourceError:
                        await asyncio.sleep(0.05)
            yield client
    finally:
        process.kill()
        await process.wait()


async def test_all_promql_parses(prometheus: PrometheusHttp) -> None:
    chance = random.Random(4)  # noqa: S311 - the same every time
    found: set[str] = set()
    clusters = (common(), common(twice=True), other())
    for _ in range(6_000):
        words = [chance.choice(chance.choice((WORDS, NAMES))) for _ in range(chance.randint(1, 7))]
        read = translate(" ".join(words), chance.choice(clusters), NOW)
        if isinstance(read, Translation):
            found.add(read.promql)
    assert len(found) > 300
    for promql in found:
        await prometheus.query(promql)  # raises what the parser says


def test_both_worlds_are_answered_rightly() -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(ROOT / "benchmarks" / "nl_queries.py"), "dev", "own"],
        capture_output=True,
        text=True,
        check=False,
    )
    figures = json.loads(done.stdout)
    assert {name: one["accuracy"] >= 0.95 for name, one in figures.items()} == {
        "dev": True,
        "own": True,
    }, figures


def asked(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603 - our own program
        [str(PETOPS), "ask", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PROMETHEUS_URL": ""},
    )
    return done.returncode, done.stdout, done.stderr


async def test_the_command_answers_in_json_whatever_comes_of_it(
    prometheus: PrometheusHttp,
) -> None:
    url = ("--prometheus-url", prometheus.where)
    status, out, _ = await asyncio.to_thread(asked, "--json", *url, "--", "memory of x")
    answer = json.loads(out)
    assert (status, answer["promql"]) == (1, None)
    assert answer["error"]
    assert answer["insights"] == []
    batch = "\n".join(json.dumps({"id": n, "question": "?"}) for n in range(3))
    status, out, _ = await asyncio.to_thread(asked, "--json", "--batch", *url, stdin=batch)
    assert status == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == [0, 1, 2]


def test_a_prometheus_that_is_not_there_is_one_sentence() -> None:
    url = ("--prometheus-url", "http://127.0.0.1:1")
    status, out, err = asked("--json", *url, "--", "memory of x")
    assert status == 1
    assert "refused the connection" in json.loads(out)["error"]
    status, out, err = asked(*url, "memory of x")
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_no_question_and_no_prometheus_are_usage_errors() -> None:
    assert asked()[0] == 2
    assert asked("--prometheus-url", "nonsense", "cpu")[0] == 2
