"""The tables of docs/settings.md, from the sections' own words.

`python -m tests.architecture.settings_page` writes them into the page. A new section goes to its
end, for a person to say more of it.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from petops.config import Settings

PAGE: Final = Path(__file__).parents[2] / "docs" / "settings.md"
_BLOCK: Final = re.compile(r"(<!-- settings:([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def sections() -> dict[str, Any]:
    """Every section with its settings at their defaults."""
    defaults = Settings()
    return {
        one.name: value
        for one in fields(Settings)
        if is_dataclass(value := getattr(defaults, one.name))
    }


def rules() -> list[str]:
    """The names of the tables that stand as often as one likes."""
    return [one.name for one in fields(Settings) if one.name not in sections()]


def table(section: Any) -> str:
    """One section's settings as a table."""
    rows = ["| setting | default | variable | what it is |", "| --- | --- | --- | --- |"]
    rows += [_row(one) for one in fields(section)]
    return "\n".join(rows) + "\n"


def _row(one: Field[Any]) -> str:
    variables = ", ".join(f"`{name}`" for name in one.metadata["variables"])
    about = one.metadata["about"].replace("|", "\\|")
    secret = "; secret" if one.metadata["secret"] else ""
    return f"| `{one.name}` | `{_value(one.default)}` | {variables} | {about}{secret} |"


def _value(default: Any) -> str:
    """A default as TOML writes it."""
    if isinstance(default, tuple):
        return json.dumps(list(default))
    return json.dumps(default)


def written(text: str) -> str:
    """The page with its tables as they are now."""
    known = sections()
    for name, section in known.items():
        if f"<!-- settings:{name} -->" not in text:
            about = inspect.getdoc(section) or ""
            text += f"\n## [{name}]\n\n{about}\n\n<!-- settings:{name} -->\n<!-- end -->\n"
    return _BLOCK.sub(lambda found: f"{found[1]}{table(known[found[2]])}{found[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
