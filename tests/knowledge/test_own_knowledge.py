"""What an organisation adds stands beside petops' own, and cannot harm it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from petops import knowledge
from petops.domain.alarm import Assessment, Category, Priority
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.evidence import Window
from petops.domain.facts import OwnFact
from petops.domain.runbook import MOST_CHARACTERS
from petops.engine.asking import investigated
from petops.engine.investigation import Ports
from petops.errors import UsageError
from petops.knowledge.guarding import guarded
from petops.knowledge.opening import opened
from petops.playbooks import MODES
from petops.playbooks.base import Case, CauseNow, Evidence, FailureMode
from petops.remedies import REMEDIES
from tests.engine.leaky import SUBJECT, LeakyCluster
from tests.knowledge.written import example, written_to
from tests.recorded import alarm
from tests.virtual import VirtualClock

pytestmark = pytest.mark.looptime
PAGE = "---\nmode: memory-leak\n---\n# Restart it\nAsk first.\n"


async def verdict_with(own: knowledge.Knowledge, days: float) -> Any:
    """Investigate the leaky cluster with petops' modes and the organisation's."""
    clock = VirtualClock()
    cluster = LeakyCluster(clock)
    await clock.sleep(60)
    now = clock.now()
    case = Case(
        alarm=alarm(SUBJECT, now),
        assessment=Assessment(category=Category.ERRORS, priority=Priority.P2, because="a test"),
        subject=SUBJECT,
        window=Window.before(now, timedelta(hours=1)),
    )
    table = {"name": "inventory", "days_left": {f"{SUBJECT.namespace}/{SUBJECT.name}": days}}
    async with AsyncExitStack() as stack:
        sources = await opened(own.sources, [table], stack, pytest.fail)
        ports = Ports(metrics=cluster, cluster=cluster, own=sources)
        return await investigated(case, own.modes.values(), ports, clock=clock)


async def test_the_documented_example_finds_what_it_is_for(tmp_path: Path) -> None:
    own = knowledge.loaded(str(written_to(tmp_path)), packages=False)
    assert own.troubles == ()
    found = await verdict_with(own, days=-3)
    assert found.cause is not None
    assert (found.cause.mode, found.cause.subject) == ("certificate-expired", SUBJECT)
    assert found.cause.confidence == 0.9
    assert found.cause.remedies == ("look-closer",)
    healthy = await verdict_with(own, days=30)
    assert healthy.cause is None
    assert healthy.rivals[0].verdict is Verdict.REFUTED


def test_the_documented_runbook_names_only_what_there_is(tmp_path: Path) -> None:
    own = knowledge.loaded(str(written_to(tmp_path)), packages=False)
    (page,) = own.runbooks
    assert page.name == "history-leaks"
    assert page.text.startswith("# Before you restart")
    both = {**MODES, **own.modes}
    assert knowledge.problems(page, both, REMEDIES) == ()
    assert knowledge.problems(page, MODES, REMEDIES) == (
        "there is no step 'certificate-days-left'; `petops modes NAME` lists a failure mode's",
    )
    wrong = replace(page, modes=("memory-leek",), remedies=("restart-worklod",))
    assert knowledge.problems(wrong, both, REMEDIES) == (
        "there is no failure mode 'memory-leek'; did you mean memory-leak?",
        "there is no remedy 'restart-worklod'; did you mean restart-workload?",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# no front matter\n", "has no front matter"),
        ("---\nmode: memory-leak\n", "has no front matter"),
        ("", "has no front matter"),
        ("---\ntitle: x\n---\ntext", "names no failure mode"),
        ("---\nmode: [\n---\ntext", "is no YAML"),
        ("---\n- mode\n---\ntext", "is no table"),
        ("---\nmode: 3\n---\ntext", "must be a name"),
        ("---\nmode: memory-leak\n---\n \n", "has no text"),
        ("---\nmode: memory-leak\nremedy: x\n---\ntext", "'remedy' is nothing that a runbook says"),
        ("---\nmode: memory-leak\n---\n" + "x" * (MOST_CHARACTERS + 1), "characters, over"),
        ("---\nmode: 2026-13-45\n---\ntext", "is no YAML: month must be in 1..12"),
        ("---\nmode: memory-leak\ntitle: {a: b}\n---\ntext", "its title must be text"),
        ("---\nmode: memory-leak\ntitle: [[1]]\n---\ntext", "its title must be text"),
        ("---\nmode: memory-leak\nnames: [" + "a," * 101 + "]\n---\ntext", "101 names, over 100"),
        ("---\nmode: !!python/object/apply:os.system [id]\n---\ntext", "is no YAML"),
    ],
)
def test_a_page_that_makes_no_sense_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"page\.md") as raised:
        knowledge.parsed(text, name="page", origin="page.md")
    assert said in raised.value.message
    assert raised.value.hint


def test_trouble_is_told_and_keeps_nothing_else_from_working(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text(PAGE)
    (tmp_path / "bad.md").write_text("nothing")
    (tmp_path / "README.md").write_text("about this folder")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "twice.py").write_text(
        "from petops.playbooks import MODES\nMODE = MODES['memory-leak']\nSOURCES = [3]\n"
    )
    (tmp_path / "latin.md").write_bytes(b"---\nmode: \xff\n---\n")
    open_to_all = tmp_path / "open.py"
    open_to_all.write_text("raise SystemExit\n")
    open_to_all.chmod(0o646)
    own = knowledge.loaded(str(tmp_path), packages=False)
    assert [one.name for one in own.runbooks] == ["good"]
    told = "\n".join(own.troubles)
    for said in (
        "bad.md has no front matter",
        "broken.py cannot be loaded: ZeroDivisionError: division by zero; correct it",
        "petops has a memory-leak already; give yours another name",
        "a int is no failure mode",
        "latin.md cannot be loaded: UnicodeDecodeError",
        "open.py is not run: everybody may write",
    ):
        assert said in told
    assert knowledge.loaded(str(tmp_path / "away"), packages=False).troubles


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with entry points, as pip would leave it."""
    code = tmp_path / "acme_petops"
    (code / "runbooks").mkdir(parents=True)
    (code / "__init__.py").write_text("")
    (code / "runbooks" / "__init__.py").write_text("")
    (code / "runbooks" / "leak.md").write_text(PAGE)
    (code / "runbooks" / "huge.md").write_text(PAGE + "x" * 300_000)
    (code / "empty").mkdir()
    (code / "empty" / "__init__.py").write_text("")
    (code / "certificates.py").write_text(example("certificates.py"))
    metadata = tmp_path / "acme_petops-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-petops\nVersion: 1.0\n")
    groups = tomllib.loads(example("pyproject.toml"))["project"]["entry-points"]
    groups["petops.runbooks"] |= {"away": "acme_petops.away", "empty": "acme_petops.empty"}
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in groups.items()
    )
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield code
    for name in [one for one in sys.modules if one.startswith("acme_petops")]:
        del sys.modules[name]


def test_a_package_adds_what_its_entry_points_name(package: Path) -> None:
    own = knowledge.loaded()
    assert list(own.modes) == ["certificate-expired"]
    assert list(own.sources) == ["inventory"]
    assert [one.name for one in own.runbooks] == ["leak"]
    assert own.origins["certificate-expired"] == "package acme-petops"
    told = "\n".join(own.troubles)
    assert "away cannot be loaded: ModuleNotFoundError" in told
    assert "empty cannot be loaded: LookupError: acme_petops.empty carries no Markdown file" in told
    assert "huge.md cannot be loaded: ValueError: it is over 256 KiB" in told
    assert not knowledge.loaded(packages=False).modes


def failing(**changes: Any) -> FailureMode:
    def boom(*_: object) -> Any:
        raise KeyError("surprise")

    mode = replace(
        MODES["quota-exceeded"], name="own", suspect=boom, conclude=boom, judge=boom,
        relapse_seconds=boom,
    )  # fmt: skip
    return guarded(replace(mode, **changes), REMEDIES.__contains__)


async def test_code_that_fails_loses_its_own_verdict_only() -> None:
    mode = failing()
    case: Any = None
    assert not mode.suspect(case)
    found = mode.conclude(case, Evidence(()))
    assert (found.verdict, found.because) == (
        Verdict.UNDECIDED,
        "its own code failed: KeyError: 'surprise'",
    )
    judged = mode.judge(case, Evidence(()), found, None)
    assert (judged.symptom_gone, judged.cause) == (None, CauseNow.UNCLEAR)
    assert mode.relapse_seconds(Evidence(()), found) == 600.0


async def test_a_verdict_is_bounded_and_offers_only_what_there_is() -> None:
    def bold(case: Case, evidence: Evidence) -> Finding:
        del case, evidence
        return Finding(
            mode="own",
            verdict=Verdict.SUPPORTED,
            confidence=7.0,
            because="I know",
            rows=(),
            subject=None,
            remedies=("rm -rf", "restart-workload"),
        )

    case: Any = None
    found = failing(conclude=bold).conclude(case, Evidence(()))
    assert (found.confidence, found.remedies) == (0.97, ("restart-workload",))
    other = failing(name="other", conclude=bold).conclude(case, Evidence(()))
    assert other.verdict is Verdict.UNDECIDED


async def test_a_source_that_does_not_open_is_said_and_left_out(tmp_path: Path) -> None:
    code = "from petops.knowledge import OwnSource\nSOURCE = OwnSource(name='dead', open=int)\n"
    (tmp_path / "dead.py").write_text(code)
    own = knowledge.loaded(str(tmp_path), packages=False)
    said: list[str] = []
    async with AsyncExitStack() as stack:
        assert await opened(own.sources, [], stack, said.append) == {}
        assert said[0].startswith("source dead does not open: TypeError")
        await opened(own.sources, [{"name": "away"}], stack, said.append)
        assert said[1] == "there is no source 'away' for its [[source]] table; known: dead"


def test_an_own_fact_gives_its_figures_by_name() -> None:
    fact = OwnFact(summary="3 left", numbers=(("days", 3.0),), words=(("issuer", "us"),))
    assert (fact.number("days"), fact.number("x"), fact.word("issuer"), fact.word("x")) == (
        3.0,
        None,
        "us",
        "",
    )
