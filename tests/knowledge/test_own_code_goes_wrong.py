"""Code of others that makes no sense, hangs or ends the process harms nobody but itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from petops import knowledge
from petops.domain import events as ev
from petops.domain.change import RestartWorkload, Risk
from petops.domain.diagnosis import Finding, Verdict
from petops.domain.facts import OwnFact
from petops.domain.phases import Phase
from petops.domain.policy import Refusal
from petops.errors import UsageError
from petops.knowledge import OwnSource
from petops.knowledge.guarding import MOST_BYTES, guarded, guarded_remedy
from petops.knowledge.opening import opened
from petops.knowledge.sense import flaw
from petops.playbooks import MODES
from petops.playbooks.base import Case, Evidence, FailureMode, Step, step, subject_of
from petops.remedies import REMEDIES
from petops.remedies.base import Guard, Remedy, Situation
from petops.remedies.guards import ALWAYS
from petops.wire import entry_from_json, entry_to_json
from tests.engine.stage import Stage, acts

pytestmark = pytest.mark.looptime
PAGE = "---\nmode: memory-leak\n---\n# Restart it\nAsk first.\n"


def own_mode(**changes: Any) -> FailureMode:
    """A mode of somebody's own, whose only step is `look`."""

    def conclude(case: Case, evidence: Evidence) -> Finding:
        found = evidence.fact(look)
        return Finding(
            mode="own",
            verdict=Verdict.SUPPORTED if found else Verdict.UNDECIDED,
            confidence=0.97,
            because="it is so",
            rows=(),
            subject=subject_of(case),
            remedies=("own-remedy",),
        )

    mode = replace(
        MODES["quota-exceeded"],
        name="own",
        title="one of ours",
        suspect=lambda _: True,
        steps=(look,),
        watch_steps=(look,),
        conclude=conclude,
    )
    return replace(mode, **changes)


@step("How is it?", timeout_seconds=2)
async def look(case: Case, sources: Any) -> OwnFact:
    del case, sources
    return OwnFact(summary="well")


def answering(answer: Callable[[], Any]) -> Step[Any]:
    async def ask(case: Case, sources: Any) -> Any:
        del case, sources
        made = answer()
        return await made if hasattr(made, "__await__") else made

    return replace(look, ask=ask)


async def cancelled() -> None:
    raise asyncio.CancelledError


def leaves() -> None:
    raise SystemExit(3)


def turned_down() -> None:
    raise UsageError("there is no such place")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: None, "its step gave a NoneType, not an OwnFact"),
        (lambda: {"days": 3}, "its step gave a dict, not an OwnFact"),
        (lambda: OwnFact(summary=3), "summary must be str"),  # type: ignore[arg-type]
        (
            lambda: OwnFact(summary="x", numbers={"days": 3}),  # type: ignore[arg-type]
            "numbers must be tuple",
        ),
        (lambda: OwnFact(summary="\ud800"), "text that is no Unicode"),
        (lambda: OwnFact(summary="x" * (MOST_BYTES + 1)), f"bytes, over {MOST_BYTES}"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda: asyncio.sleep(3600), "no answer within 2 s"),
        (cancelled, "it cancelled itself"),
        (leaves, "SystemExit: 3"),
        (turned_down, "there is no such place"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_a_gap_and_all_else_goes_on(
    answer: Callable[[], Any], why: str
) -> None:
    stage = Stage()
    bad = answering(answer)
    own = own_mode(steps=(bad,), watch_steps=(bad,))
    stage.modes = {**MODES, "own": guarded(own, REMEDIES.__contains__)}
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        assert waiting.diagnosis is not None
        assert waiting.diagnosis.cause is not None
        assert waiting.diagnosis.cause.mode == "memory-leak"
        gaps = {gap.step: gap.why for gap in waiting.diagnosis.gaps}
        assert why in gaps["look"]
        for entry in waiting.history:
            assert entry_from_json(entry_to_json(entry)) == entry


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "conclude gave a NoneType, not a Finding"),
        ({"confidence": "high"}, "cannot be kept"),
        ({"confidence": float("nan")}, "its confidence is nan"),
        ({"verdict": "supported"}, "verdict must be"),
        ({"remedies": ["restart-workload"]}, "remedies must be tuple"),
        ({"because": "x" * (MOST_BYTES + 1)}, "bytes, over"),
        ({"mode": "memory-leak"}, "it concluded for memory-leak"),
    ],
)
async def test_a_verdict_that_makes_no_sense_is_undecided(given: Any, why: str) -> None:
    right = own_mode().conclude

    def conclude(case: Case, evidence: Evidence) -> Any:
        return given if given is None else replace(right(case, evidence), **given)

    stage = Stage()
    stage.modes = {**MODES, "own": guarded(own_mode(conclude=conclude), REMEDIES.__contains__)}
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        waiting = await stage.until(engine, Phase.WAITING)
        assert waiting.diagnosis is not None
        assert waiting.diagnosis.cause is not None
        assert waiting.diagnosis.cause.mode == "memory-leak"
        (own,) = (one for one in waiting.diagnosis.rivals if one.mode == "own")
        assert own.verdict is Verdict.UNDECIDED
        assert why in own.because


def test_a_remedy_that_there_is_not_is_said() -> None:
    offers = replace(
        held_by(own_mode()), remedies=("restart-worklod", "restart-workload"), confidence=0.5
    )
    mode = guarded(own_mode(conclude=lambda *_: offers), REMEDIES.__contains__)
    case: Any = None
    said = mode.conclude(case, Evidence(()))
    assert said.because == "it is so (there is no remedy restart-worklod)"
    assert said.remedies == ("restart-workload",)


def held_by(mode: FailureMode) -> Finding:
    return Finding(
        mode=mode.name, verdict=Verdict.SUPPORTED, confidence=0.5, because="it is so", rows=()
    )


@pytest.mark.parametrize(
    ("seconds", "kept"), [(float("nan"), 600.0), (float("inf"), 600.0), (1e9, 86400.0), ("x", 600)]
)
def test_a_wait_that_makes_no_sense_is_a_usual_one(seconds: Any, kept: float) -> None:
    mode = guarded(own_mode(relapse_seconds=lambda *_: seconds), REMEDIES.__contains__)
    assert mode.relapse_seconds(Evidence(()), held_by(mode)) == kept


def own_remedy(plan: Callable[[Situation], Any], guards: tuple[Guard, ...] = ()) -> Remedy:
    return guarded_remedy(Remedy(name="own-remedy", risk=Risk.GREEN, plan=plan, guards=guards))


def restarted(situation: Situation) -> RestartWorkload:
    found = REMEDIES["restart-workload"].plan(situation)
    assert isinstance(found, RestartWorkload)
    return found


def elsewhere(situation: Situation) -> RestartWorkload:
    found = restarted(situation)
    return replace(found, subject=replace(found.subject, name="another"))


def raising(*_: object) -> Any:
    raise KeyError("surprise")


async def staged(remedy: Remedy) -> tuple[Stage, Any]:
    """Return the incident that the own mode leads to, with this remedy installed."""
    stage = Stage()
    remedies = {**REMEDIES, remedy.name: remedy}
    stage.remedies = remedies
    stage.modes = {"own": guarded(own_mode(), remedies.__contains__)}
    async with stage.running() as engine:
        await stage.leak_for(60)
        await stage.report(engine)
        return stage, await stage.until(engine, Phase.WAITING, Phase.HANDED_OVER)


@pytest.mark.parametrize(
    ("remedy", "why"),
    [
        (own_remedy(raising), "its own code failed: KeyError"),
        (own_remedy(lambda _: None), "plan gave a NoneType, not a change"),
        (own_remedy(lambda _: Refusal(why="not today")), "not today"),
        (own_remedy(elsewhere), "it would change"),
        (own_remedy(restarted, (Guard(name="odd", check=raising),)), "KeyError"),
        (
            own_remedy(restarted, (Guard(name="odd", check=lambda *_: True),)),  # type: ignore[arg-type]
            "odd gave a bool",
        ),
    ],
)
async def test_a_remedy_that_makes_no_sense_is_withheld(remedy: Remedy, why: str) -> None:
    _, incident = await staged(remedy)
    assert acts(incident) == []
    nothing = incident.history[-1].event
    assert isinstance(nothing, ev.NothingToPropose)
    assert why in nothing.because


async def test_a_remedy_of_theirs_has_petops_guards_too() -> None:
    _, incident = await staged(own_remedy(restarted))
    (offer,) = acts(incident)
    assert [one.name for one in offer.guards] == [one.name for one in ALWAYS]


async def test_what_is_not_installed_any_more_is_said_and_ends_nothing() -> None:
    stage, incident = await staged(own_remedy(restarted))
    stage.modes, stage.remedies = MODES, REMEDIES
    async with stage.running() as engine:
        (offer,) = acts(incident)
        entry = await stage.approve(engine, offer)
        assert isinstance(entry.event, ev.ApprovalRefused)
        assert "own-remedy is not installed any more" in str(entry.event)
        ended = await stage.until(engine, Phase.HANDED_OVER)
        assert stage.cluster.acts == []
        assert not any(isinstance(one.event, ev.Noted) for one in ended.history)


async def test_a_source_that_hangs_or_fails_at_its_end_keeps_nothing_up() -> None:
    @asynccontextmanager
    async def never(_: Any) -> AsyncIterator[None]:
        await asyncio.sleep(3600)
        yield

    @asynccontextmanager
    async def lingers(_: Any) -> AsyncIterator[str]:
        yield "open"
        await asyncio.sleep(3600)

    @asynccontextmanager
    async def breaks(_: Any) -> AsyncIterator[str]:
        yield "open"
        raise KeyError("late")

    sources = {
        name: OwnSource(name=name, open=one)
        for name, one in (("never", never), ("lingers", lingers), ("breaks", breaks))
    }
    said: list[str] = []
    async with AsyncExitStack() as stack:
        found = await opened(sources, [], stack, said.append)
        assert sorted(found) == ["breaks", "lingers"]
    assert said[0].startswith("source never does not open: no answer within 10 s")
    assert sorted(one.split(":")[0] for one in said[1:]) == [
        "source breaks does not close",
        "source lingers does not close",
    ]


def odd(thing: Any, **changes: Any) -> Any:
    return replace(thing, **changes)


def plain_function(case: Case, sources: Any) -> OwnFact:
    del case, sources
    return OwnFact(summary="x")


async def async_conclude(case: Case, evidence: Evidence) -> None:
    del case, evidence


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        (own_mode(name="Own Mode"), "'Own Mode' is no name"),
        (own_mode(name="x\x1b[31m"), "is no name"),
        (own_mode(name=3), "is no name"),
        (own_mode(title="two\nlines"), "its title must be one line"),
        (own_mode(steps=(plain_function,)), "plain_function is no step; write @step"),
        (own_mode(steps=None), "its steps must be a tuple"),
        (own_mode(steps=(odd(look, ask=plain_function),)), "step look must be an async"),
        (own_mode(steps=(replace(look, name="affected-pods"),)), "petops has a step affected-pods"),
        (own_mode(steps=(replace(look, name="there-look"),)), "is no name for a step"),
        (own_mode(steps=(replace(look, timeout_seconds=0),)), "must be above 0"),
        (own_mode(conclude=async_conclude), "its conclude must be a plain function"),
        (own_mode(judge=None), "its judge must be a function"),
        (odd(REMEDIES["restart-workload"], risk="green"), "its risk must be one of"),
        (odd(REMEDIES["restart-workload"], guards=None), "its guards must be a tuple"),
        (OwnSource(name="x", open=async_conclude), "under @asynccontextmanager"),  # type: ignore[arg-type]
        ("text", "a str is no failure mode"),
    ],
)
def test_what_has_not_the_shape_of_its_kind_is_one_sentence(thing: object, said: str) -> None:
    assert said in flaw(thing)
    assert flaw(own_mode()) == ""


def test_two_steps_of_one_name_are_told_apart(tmp_path: Path) -> None:
    code = (
        "from petops.playbooks import MODES\n"
        "from petops.playbooks.base import step\n"
        "from dataclasses import replace\n"
        "@step('Is it?')\n"
        "async def look(case, sources): ...\n"
        "own = dict(title='own', steps=(look,), watch_steps=())\n"
        "MODE = replace(MODES['quota-exceeded'], name='{name}', **own)\n"
    )
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(code.replace("{name}", name))
    own = knowledge.loaded(str(tmp_path), packages=False)
    assert list(own.modes) == ["one"]
    (said,) = own.troubles
    assert said.endswith("two.py: there is another step look; give yours another name")


def test_a_folder_is_read_as_far_as_it_is_the_folders_own(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "own"
    outside.mkdir()
    folder.mkdir()
    (outside / "page.md").write_text(PAGE)
    (folder / "out.md").symlink_to(outside / "page.md")
    (folder / "nowhere.md").symlink_to(folder / "away")
    (folder / "circle.md").symlink_to(folder / "circle.md")
    (folder / "endless.md").symlink_to("/dev/zero")
    (folder / "a-folder.md").mkdir()
    os.mkfifo(folder / "pipe.md")
    (folder / "huge.md").write_text(PAGE + "x" * 300_000)
    # As a mounted ConfigMap has it: each file is a link into a hidden folder.
    (folder / "..2026_11_23").mkdir()
    (folder / "..2026_11_23" / "mounted.md").write_text(PAGE)
    (folder / "..data").symlink_to("..2026_11_23")
    (folder / "mounted.md").symlink_to("..data/mounted.md")
    own = knowledge.loaded(str(folder), packages=False)
    assert [one.name for one in own.runbooks] == ["mounted"]
    told = {one.split(" ")[0].rsplit("/", 1)[-1]: one for one in own.troubles}
    assert sorted(told) == [
        "a-folder.md", "circle.md", "endless.md", "huge.md", "nowhere.md", "out.md", "pipe.md",
    ]  # fmt: skip
    assert "it is a link out of the folder; copy the file" in told["out.md"]
    assert "over 256 KiB; link to the long version" in told["huge.md"]
    assert "a link that leads nowhere" in told["nowhere.md"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys\nsys.exit(3)\n", "SystemExit: 3; let it not end the process"),
        ("import nothing_like_it\n", "install what it needs"),
        ("def f(:\n", "SyntaxError"),
        ("mode = 3\n", "declares nothing; name it MODE, REMEDY or SOURCE"),
        ("raise ValueError('two\\nlines \\x1b[31m')\n", "two lines"),
    ],
)
def test_a_file_that_cannot_be_run_is_one_sentence(tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "own.py").write_text(code)
    (trouble,) = knowledge.loaded(str(tmp_path), packages=False).troubles
    assert said in trouble
    assert "\n" not in trouble


def test_a_file_may_import_the_catalogues_and_declare_dataclasses(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass, replace\n"
        "from petops.playbooks import MODES\n"
        "from petops.remedies import REMEDIES\n"
        "@dataclass\n"
        "class Inventory:\n"
        "    url: str\n"
        "REMEDY = replace(REMEDIES['look-closer'], name='look-again')\n"
    )
    own = knowledge.loaded(str(tmp_path), packages=False)
    assert own.troubles == ()
    assert list(own.remedies) == ["look-again"]


def test_a_page_called_like_a_failure_mode_takes_nothing_over(tmp_path: Path) -> None:
    (tmp_path / "memory-leak.md").write_text(PAGE)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "memory-leak.md").write_text(PAGE)
    own = knowledge.loaded(str(tmp_path), packages=False)
    assert "memory-leak" not in own.origins
    (said,) = own.troubles
    assert "deeper/memory-leak.md has a memory-leak already" in said
