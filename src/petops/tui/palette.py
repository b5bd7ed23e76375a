"""Themes, and the styles that words are drawn in. Colour repeats what the words say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.style import Style
from textual.theme import Theme

from petops.domain.alarm import Priority

DARK: Final = "petops-dark"
LIGHT: Final = "petops-light"
CONTRAST: Final = "petops-contrast"
NO_COLOUR: Final = "petops-no-colour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Styles by what they mean."""

    text: Style
    strong: Style
    dim: Style
    faint: Style
    good: Style
    warn: Style
    bad: Style
    info: Style
    accent: Style
    cursor: Style
    cursor_away: Style
    heading: Style
    badges: Mapping[Priority, Style]
    production: Style
    engines: tuple[Style, ...]

    def tone(self, name: str) -> Style:
        """Return a style by its name."""
        found: Style = getattr(self, name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inks:
    """The colours of one theme."""

    ground: str
    surface: str
    panel: str
    text: str
    dim: str
    faint: str
    good: str
    warn: str
    bad: str
    info: str
    accent: str
    cursor: str
    cursor_away: str
    on_badge: str
    engines: tuple[str, ...]


_INKS: Final[Mapping[str, _Inks]] = {
    DARK: _Inks(
        ground="#12141c",
        surface="#171a24",
        panel="#222735",
        text="#d7dbe6",
        dim="#8b93a7",
        faint="#565e73",
        good="#86c58f",
        warn="#e6b455",
        bad="#f0716f",
        info="#74b2e2",
        accent="#f2a65a",
        cursor="#2c3550",
        cursor_away="#1f2433",
        on_badge="#12141c",
        engines=("#74b2e2", "#b69cf0", "#6fcbbd", "#e08fb8", "#c9c36a"),
    ),
    LIGHT: _Inks(
        ground="#faf8f4",
        surface="#f3f0ea",
        panel="#e4dfd5",
        text="#23262f",
        dim="#5c6270",
        faint="#9a9c9f",
        good="#23713a",
        warn="#8a5a00",
        bad="#b3261e",
        info="#1f5f99",
        accent="#a34a0f",
        cursor="#d5def0",
        cursor_away="#e9e9ea",
        on_badge="#ffffff",
        engines=("#1f5f99", "#6b46b5", "#146e62", "#9c3470", "#6f6a00"),
    ),
    CONTRAST: _Inks(
        ground="#000000",
        surface="#000000",
        panel="#262626",
        text="#ffffff",
        dim="#e0e0e0",
        faint="#b0b0b0",
        good="#5fff87",
        warn="#ffd75f",
        bad="#ff8787",
        info="#87d7ff",
        accent="#ffaf00",
        cursor="#003a8c",
        cursor_away="#333333",
        on_badge="#000000",
        engines=("#87d7ff", "#d7afff", "#5fffd7", "#ffafd7", "#ffff87"),
    ),
}


def _palette(ink: _Inks) -> Palette:
    badges = {
        Priority.P1: Style(color=ink.on_badge, bgcolor=ink.bad, bold=True),
        Priority.P2: Style(color=ink.on_badge, bgcolor=ink.warn, bold=True),
        Priority.P3: Style(color=ink.on_badge, bgcolor=ink.info),
        Priority.P4: Style(color=ink.text, bgcolor=ink.panel),
    }
    return Palette(
        text=Style(color=ink.text),
        strong=Style(color=ink.text, bold=True),
        dim=Style(color=ink.dim),
        faint=Style(color=ink.faint),
        good=Style(color=ink.good),
        warn=Style(color=ink.warn),
        bad=Style(color=ink.bad),
        info=Style(color=ink.info),
        accent=Style(color=ink.accent),
        cursor=Style(bgcolor=ink.cursor),
        cursor_away=Style(bgcolor=ink.cursor_away),
        heading=Style(color=ink.dim, bold=True),
        badges=badges,
        production=Style(color=ink.on_badge, bgcolor=ink.bad, bold=True),
        engines=tuple(Style(color=one, bold=True) for one in ink.engines),
    )


_PLAIN: Final = Palette(
    text=Style(),
    strong=Style(bold=True),
    dim=Style(),
    faint=Style(),
    good=Style(),
    warn=Style(bold=True),
    bad=Style(bold=True),
    info=Style(),
    accent=Style(bold=True),
    cursor=Style(reverse=True),
    cursor_away=Style(underline=True),
    heading=Style(underline=True),
    badges={
        Priority.P1: Style(reverse=True, bold=True),
        Priority.P2: Style(bold=True),
        Priority.P3: Style(),
        Priority.P4: Style(),
    },
    production=Style(reverse=True, bold=True),
    engines=(Style(bold=True),),
)

PALETTES: Final[Mapping[str, Palette]] = {
    **{name: _palette(ink) for name, ink in _INKS.items()},
    NO_COLOUR: _PLAIN,
}


def palette(theme: str) -> Palette:
    """Return the styles of a theme; of one that is not ours, those of the dark one."""
    return PALETTES.get(theme, PALETTES[DARK])


def themes() -> tuple[Theme, ...]:
    """Return the themes as Textual takes them."""
    made = [_theme(name, ink, dark=name != LIGHT) for name, ink in _INKS.items()]
    return (*made, _theme(NO_COLOUR, _INKS[CONTRAST], dark=True))


def _theme(name: str, ink: _Inks, *, dark: bool) -> Theme:
    return Theme(
        name=name,
        primary=ink.accent,
        secondary=ink.info,
        accent=ink.accent,
        warning=ink.warn,
        error=ink.bad,
        success=ink.good,
        foreground=ink.text,
        background=ink.ground,
        surface=ink.surface,
        panel=ink.panel,
        dark=dark,
        variables={
            "footer-background": ink.panel,
            "footer-key-foreground": ink.accent,
            "footer-description-foreground": ink.dim,
            "footer-item-background": ink.panel,
            "border": ink.faint,
            "border-blurred": ink.faint,
            "scrollbar": ink.faint,
            "scrollbar-background": ink.ground,
            "scrollbar-hover": ink.dim,
            "scrollbar-active": ink.accent,
            "block-cursor-background": ink.cursor,
            "block-cursor-foreground": ink.text,
            "input-cursor-background": ink.accent,
            "text-dim": ink.dim,
            "text-faint": ink.faint,
        },
    )
