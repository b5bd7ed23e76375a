"""Every action as a `:` command and as an entry of the palette."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from textual.app import SystemCommand
from textual.screen import Screen

from petops.errors import UsageError
from petops.tui.feed import Ref
from petops.tui.palette import themes
from petops.tui.rows import ORDERS
from petops.tui.screens.approval import ApprovalScreen
from petops.tui.screens.ask import AskScreen
from petops.tui.screens.chaos import ChaosScreen
from petops.tui.screens.deciding import Deciding
from petops.tui.screens.help import HelpScreen
from petops.tui.screens.history import HistoryScreen
from petops.tui.screens.line import CommandLine
from petops.tui.screens.settings import SettingsScreen
from petops.tui.screens.sources import SourcesScreen
from petops.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from petops.tui.app import Dashboard

_SPAN: Final = re.compile(r"(\d{1,4})([mh]?)")
_PREFIX: Final = "petops-"


@dataclass(frozen=True, slots=True)
class Command:
    """A word, what may follow it, what it does."""

    name: str
    takes: str
    help: str
    run: Callable[[Dashboard, str], None]
    is_there: Callable[[Dashboard], bool] = lambda _: True


def run(app: Dashboard, line: str) -> None:
    """Run one line; say what is wrong with it where something is."""
    word, _, rest = line.strip().partition(" ")
    if not word:
        return
    found = named(app, word.lower())
    try:
        if isinstance(found, str):
            raise UsageError(found)  # noqa: TRY301
        found.run(app, rest.strip())
    except UsageError as exc:
        hint = f" ({exc.hint})" if exc.hint else ""
        app.notify(exc.message + hint, severity="warning", markup=False)


def named(app: Dashboard, word: str) -> Command | str:
    """Return the command that a word begins, or what is wrong with the word."""
    there = [one for one in COMMANDS if one.is_there(app)]
    exact = [one for one in there if one.name == word]
    near = exact or [one for one in there if one.name.startswith(word)]
    if len(near) == 1:
        return near[0]
    if near:
        return f":{word} may be {', '.join(one.name for one in near)}"
    missing = next((one for one in COMMANDS if one.name == word), None)
    if missing is not None:
        return f":{word} is not there with this engine"
    return f"there is no command :{word[:40]}; ? shows them"


def ask(app: Dashboard) -> None:
    """Open the line for commands."""
    names = [one.name for one in COMMANDS if one.is_there(app)]

    def entered(line: str | None) -> None:
        if line:
            run(app, line)

    app.push_screen(CommandLine(names), entered)


def palette_entries(app: Dashboard, screen: Screen[object]) -> Iterator[SystemCommand]:
    """Yield the commands that need nothing typed; of those that do, the ones with known words."""
    del screen
    for one in COMMANDS:
        if not one.is_there(app):
            continue
        if one.name == "theme":
            for theme in themes():
                name = theme.name.removeprefix(_PREFIX)
                yield SystemCommand(f"theme {name}", one.help, _runs(app, f"theme {name}"))
        elif one.name == "sort":
            for order in ORDERS:
                yield SystemCommand(f"sort {order}", one.help, _runs(app, f"sort {order}"))
        elif not one.takes.startswith("<"):
            yield SystemCommand(one.name, one.help, _runs(app, one.name))


def _runs(app: Dashboard, line: str) -> Callable[[], None]:
    return lambda: run(app, line)


def repaint(app: Dashboard) -> None:
    """Draw all lists of the screen anew, in another theme."""
    for rows in app.screen.query(RowList):
        rows.repaint()
    app.desk.changed()


def _deciding(app: Dashboard, rest: str) -> tuple[Deciding, Ref]:
    """Return the screen that can decide on the incident that is named or chosen."""
    ref = app.desk.found(rest) if rest else app.chosen
    if ref is None:
        raise UsageError(f"there is no incident {rest[:40]}" if rest else "no incident is chosen")
    if app.chosen != ref:
        app.open_incident(ref)
    screen = app.screen
    if not isinstance(screen, Deciding):
        raise UsageError("nothing can be decided here")
    return screen, ref


def _incident(app: Dashboard, rest: str) -> None:
    ref = app.desk.found(rest) if rest else app.chosen
    if ref is None:
        raise UsageError(f"there is no incident {rest[:40]}", hint=":board lists them")
    app.open_incident(ref)


def _approve(app: Dashboard, rest: str) -> None:
    ref = app.desk.found(rest) if rest else app.chosen
    if ref is None:
        raise UsageError("no incident is chosen", hint=":approve INC-0001")
    app.open_approval(ref)


def _approval(app: Dashboard, rest: str) -> ApprovalScreen:
    _approve(app, rest)
    screen = app.screen
    if not isinstance(screen, ApprovalScreen):
        raise UsageError("nothing is on offer")
    return screen


def _break_glass(app: Dashboard, rest: str) -> None:
    _approval(app, rest).action_break_glass()


def _stop(app: Dashboard, rest: str) -> None:
    _approval(app, rest).action_stop()


def _ack(app: Dashboard, rest: str) -> None:
    screen, ref = _deciding(app, rest)
    screen.answered(app.desk.acknowledge(ref), f"you are on {ref.incident}")


def _snooze(app: Dashboard, rest: str) -> None:
    match = _SPAN.fullmatch(rest or "30m")
    if match is None:
        raise UsageError(f"{rest[:20]} is no time", hint=":snooze 30m, :snooze 2h")
    minutes = int(match[1]) * (60 if match[2] == "h" else 1)
    screen, ref = _deciding(app, "")
    told = f"{ref.incident} is quiet for {minutes} min"
    screen.answered(app.desk.snooze(ref, timedelta(minutes=minutes)), told)


def _wrong(app: Dashboard, rest: str) -> None:
    screen, _ = _deciding(app, rest)
    screen.action_correct()


def _close(app: Dashboard, rest: str) -> None:
    screen, _ = _deciding(app, rest)
    screen.action_close_incident()


def _board(app: Dashboard, rest: str) -> None:
    del rest
    while len(app.screen_stack) > 2:
        app.pop_screen()


def _filter(app: Dashboard, rest: str) -> None:
    _board(app, "")
    app.board_screen.filtered(rest)


def _sort(app: Dashboard, rest: str) -> None:
    found = [one for one in ORDERS if one.startswith(rest)] if rest else []
    if len(found) != 1:
        raise UsageError(f"sort by one of: {', '.join(ORDERS)}")
    _board(app, "")
    app.board_screen.ordered(found[0])


def _theme(app: Dashboard, rest: str) -> None:
    names = [one.name for one in themes()]
    found = [one for one in names if one.removeprefix(_PREFIX).startswith(rest)] if rest else []
    if len(found) != 1:
        short = ", ".join(one.removeprefix(_PREFIX) for one in names)
        raise UsageError(f"a theme is one of: {short}")
    app.themed(found[0])


def _bell(app: Dashboard, rest: str) -> None:
    rings = {"on": True, "off": False}.get(rest, not app.desk.kept.choices.bell)
    app.desk.kept.change(bell=rings)
    app.notify(f"the bell is {'on' if rings else 'off'}")


def _quit(app: Dashboard, rest: str) -> None:
    del rest
    app.exit()


def _ask(app: Dashboard, rest: str) -> None:
    was_open = any(isinstance(one, AskScreen) for one in app.screen_stack)
    app.open_screen(AskScreen, lambda: AskScreen(app.desk, rest))
    if was_open and rest and isinstance(app.screen, AskScreen):
        app.screen.asked(rest)


def _opens(name: str) -> Callable[[Dashboard, str], None]:
    kinds = {
        "history": HistoryScreen,
        "sources": SourcesScreen,
        "settings": SettingsScreen,
        "chaos": ChaosScreen,
    }

    def opened(app: Dashboard, rest: str) -> None:
        del rest
        kind = kinds[name]
        app.open_screen(kind, lambda: kind(app.desk))

    return opened


def _help(app: Dashboard, rest: str) -> None:
    del rest
    rows = [(f"{one.name} {one.takes}".strip(), one.help) for one in COMMANDS if one.is_there(app)]
    app.push_screen(HelpScreen(app.screen, rows))


COMMANDS: Final[tuple[Command, ...]] = (
    Command("board", "", "All open incidents", _board),
    Command("incident", "<ID>", "Open an incident", _incident),
    Command("approve", "[ID]", "Read what is on offer, and decide", _approve),
    Command("break-glass", "[ID]", "Approve alone what needs two people", _break_glass),
    Command("stop", "[ID]", "End the act under way where it is", _stop),
    Command("ack", "[ID]", "Say that you are on it", _ack),
    Command("snooze", "[30m]", "Be quiet about it for a while", _snooze),
    Command("wrong-cause", "[ID]", "Say what it really was", _wrong),
    Command("close", "[ID]", "End an incident by hand", _close),
    Command("filter", "[WORDS]", "Show only rows with these words", _filter),
    Command("sort", "<COLUMN>", "Order the board", _sort),
    Command("history", "", "Incidents that are over, and where time went", _opens("history")),
    Command("sources", "", "How each integration fares", _opens("sources")),
    Command("settings", "", "Every setting, and where it comes from", _opens("settings")),
    Command(
        "ask",
        "[QUESTION]",
        "Ask metrics in words",
        _ask,
    ),
    Command(
        "chaos",
        "",
        "Inject a fault, watch it, take it back",
        _opens("chaos"),
    ),
    Command("theme", "<NAME>", "Dark, light, high contrast, no colour", _theme),
    Command("bell", "[on|off]", "Ring for a new P1", _bell),
    Command("help", "", "Keys and commands", _help),
    Command("quit", "", "Leave; engines go on", _quit),
)
