"""Small terminals, terminals without colour or UTF-8, and names that want to be obeyed."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.segment import Segment

from petops.domain import events as ev
from petops.domain.events import Entry
from petops.tui import commands
from petops.tui.app import Dashboard
from petops.tui.glyphs import ascii_text
from petops.tui.palette import NO_COLOUR, PALETTES
from petops.tui.plain import fitted, plain, wrapped
from petops.tui.wording import PHASES, RISKS, VERDICTS, WEIGHS
from tests.tui.doors import full
from tests.tui.looks import settled, text_of, until
from tests.tui.scripted import (
    PROPOSED,
    STORY,
    ScriptedEngine,
    desk,
    embedded,
    many,
    opened,
)
from tests.tui.slow import slow_story

drawn = pytest.mark.slow  # by a real Textual loop, in wall time

HOSTILE = "[bold]x[/] \x1b[31mred\x1b]0;owned\x07 \u202egnp.exe 漢字 שלום \u0301e \udc80 a\tb\nc"


@pytest.mark.parametrize("text", [HOSTILE, "", "\u0301", "漢" * 50, "a" * 300, "\x9b31m"])
def test_what_is_shown_is_never_obeyed_and_always_fits(text: str) -> None:
    for width in (0, 1, 2, 3, 9, 40):
        assert cell_len(fitted(text, width)) == width
    for made in (plain(text), *wrapped(text, 20)):
        assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 for one in made)
        assert "\u202e" not in made
        made.encode("utf-8")
    assert all(cell_len(one) <= 20 for one in wrapped(text, 20))


def hostile_entries() -> tuple[Entry, ...]:
    first = opened()
    alarm = replace(first.alarm, name=HOSTILE, text=HOSTILE, subject=None, unmapped=HOSTILE)
    told = ev.Noted(at=first.at, text=HOSTILE)
    newer = ev.Unreadable(at=first.at, kind=HOSTILE, text=HOSTILE)
    events: tuple[ev.Event, ...] = (replace(first, alarm=alarm), told, newer)
    return tuple(
        Entry(seq=number, incident="INC-0001", number=number, event=one)
        for number, one in enumerate(events, start=1)
    )


@drawn
async def test_hostile_text_is_shown_on_every_screen(tmp_path: Path) -> None:
    async with embedded(ScriptedEngine(hostile_entries()), tmp_path) as handle:
        app = Dashboard(desk(("lab\x1b[2J", handle), given=full()))
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, "INC-0001")
            for keys in ((), ("enter",), ("4", "g", "j", "enter"), ("o",)):
                shown = await settled(pilot, *keys)
                assert "\x1b" not in shown
                assert "\u202e" not in shown
            assert "[bold]x[/]" in text_of(app)


@drawn
@pytest.mark.parametrize("size", [(40, 10), (8, 3)])
async def test_any_size_and_resizing_while_drawing(size: tuple[int, int], tmp_path: Path) -> None:
    engine = ScriptedEngine(slow_story())
    async with embedded(engine, tmp_path) as handle:
        app = Dashboard(desk(("lab", handle), given=full()))
        async with app.run_test(size=size) as pilot:
            await pilot.pause(0.3)
            for number, key in enumerate(("enter", *"2345678f", "a", "a", "escape")):
                await pilot.press(key)
                await pilot.resize_terminal(size[0] + 7 * (number % 2), size[1] + 3)
                await engine.append("INC-0001", ev.Noted(at=engine.now, text="while drawing"))
            await pilot.resize_terminal(*size)
            for line in ("history", "sources", "settings", "chaos", "ask x", "help"):
                commands.run(app, line)
                await pilot.resize_terminal(size[0] + 1, size[1] + 1)
                await pilot.press("escape")
            shown = (await settled(pilot)).splitlines()
            assert len(shown) == size[1] + 1


@drawn
async def test_the_largest_terminal_is_filled(tmp_path: Path) -> None:
    async with embedded(ScriptedEngine(slow_story()), tmp_path) as handle:
        app = Dashboard(desk(("lab", handle)))
        async with app.run_test(size=(250, 70)) as pilot:
            await until(pilot, "INC-0001")
            shown = (await settled(pilot, "enter", "5")).splitlines()
            assert len(shown) == 70
            assert max(len(one) for one in shown) > 240


@drawn
async def test_forty_by_ten_still_names_target_and_cluster(tmp_path: Path) -> None:
    async with embedded(ScriptedEngine(STORY[:PROPOSED]), tmp_path) as handle:
        app = Dashboard(desk(("lab", handle)))
        async with app.run_test(size=(40, 10)) as pilot:
            await until(pilot, "▶")
            await settled(pilot, "a")
            shown = await settled(pilot, "a")
    for words in ("Deployment", "petadoptionshistory-py-leak", "default", "petops-lab"):
        assert words in shown
    assert "type yes" in shown


@drawn
async def test_without_utf8_everything_is_ascii(tmp_path: Path) -> None:
    async with embedded(ScriptedEngine(STORY[:PROPOSED]), tmp_path) as handle:
        app = Dashboard(desk(("lab", handle), ascii_only=True))
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, "INC-0001")
            assert "enter Open" in text_of(app)
            for keys in ((), ("enter",), ("a",)):
                await settled(pilot, *keys)
                assert ascii_text(text_of(app)).isascii()
            assert "right Next change" in text_of(app)
            strips = app.screen._compositor.render_strips()
            (ascii_filter,) = [
                one for one in app.get_line_filters() if "Ascii" in type(one).__name__
            ]
            for strip in strips:
                made = ascii_filter.apply(list(strip), app.screen.background_colors[1])
                assert Segment.get_line_length(made) == strip.cell_length
                assert all(one.text.isascii() for one in made)


@drawn
async def test_without_colour_nothing_is_coloured(tmp_path: Path) -> None:
    async with embedded(ScriptedEngine(many(9)), tmp_path) as handle:
        app = Dashboard(desk(("lab", handle)), no_colour=True)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, "INC-0008")
            assert app.theme == NO_COLOUR
            ground = app.screen.background_colors[1]
            for strip in app.screen._compositor.render_strips():
                made = list(strip)
                for one in app.get_line_filters():
                    made = one.apply(made, ground)
                assert not any(seg.style and (seg.style.color or seg.style.bgcolor) for seg in made)
            assert "▌" in text_of(app)


@drawn
async def test_without_colour_every_cursor_can_be_seen(tmp_path: Path) -> None:
    async with embedded(ScriptedEngine(many(9)), tmp_path) as handle:
        app = Dashboard(desk(("lab", handle), given=full()), no_colour=True)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, "INC-0008")
            assert marked(app).startswith("P1")
            await settled(pilot, "ctrl+p")
            await until(pilot, "Say that you are on it")
            assert "Say that you are on it" in marked(app)
            assert "Read what is on offer" not in marked(app)
            await settled(pilot, "escape", "colon")
            await until(pilot, "command, for example")
            assert marked(app)


def marked(app: Dashboard) -> str:
    """Return what stands out on the screen on top without colour, as it goes to the terminal."""
    ground = app.screen.background_colors[1]
    found = []
    for strip in app.screen._compositor.render_strips():
        made = list(strip)
        for one in app.get_line_filters():
            made = one.apply(made, ground)
        styles = [(seg.text, seg.style) for seg in made if seg.style]
        found += [text for text, style in styles if style.reverse or style.underline]
    return "".join(found).strip("▌ ")


def test_every_meaning_has_a_sign_and_a_word() -> None:
    for wordings in (PHASES, WEIGHS, VERDICTS, RISKS):
        told = [(one.sign, one.words) for one in wordings.values()]
        assert len(set(told)) == len(told)
        assert all(sign and words for sign, words in told)
    for paint in PALETTES.values():
        assert all(paint.tone(one.tone) is not None for one in PHASES.values())


@drawn
async def test_every_theme_draws_every_screen(tmp_path: Path) -> None:
    async with embedded(ScriptedEngine(STORY[:PROPOSED]), tmp_path) as handle:
        app = Dashboard(desk(("lab", handle)))
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, "INC-0001")
            await settled(pilot, "enter")
            before = text_of(app)
            for name in PALETTES:
                app.themed(name)
                assert (await settled(pilot)).count("\n") == before.count("\n")
                assert io.StringIO(text_of(app)).readline() == io.StringIO(before).readline()
