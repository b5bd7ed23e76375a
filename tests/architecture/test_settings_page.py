"""docs/settings.md: every setting stands there as it is, and every example is one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from petops.config import Settings, load
from petops.config.rules import assessment_rules, mapping_rules
from petops.domain.access import access_rules, access_tokens
from petops.domain.policy_tables import approval_rules, freezes, people
from tests.architecture.settings_page import PAGE, rules, sections, table, written

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)
READ_BY: dict[str, Callable[[Settings], tuple[object, ...]]] = {
    "mapping": mapping_rules,
    "assessment": lambda settings: assessment_rules(settings).categories,
    "approval": lambda settings: approval_rules(settings.approval),
    "person": lambda settings: people(settings.person),
    "freeze": lambda settings: freezes(settings.freeze),
    "hours": lambda settings: assessment_rules(settings).hours,
    "token": lambda settings: access_tokens(settings.token),
    "access": lambda settings: access_rules(settings.access),
}


def test_every_setting_is_told_as_it_is() -> None:
    assert written(TEXT) == TEXT, "run: python -m tests.architecture.settings_page"
    for name, section in sections().items():
        assert table(section) in TEXT, f"docs/settings.md has no table of [{name}]"
    for name in rules():
        assert f"[[{name}]]" in TEXT, f"docs/settings.md does not speak of [[{name}]]"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n", 1)[0])
def test_every_example_is_loaded(tmp_path: Path, example: str) -> None:
    file = tmp_path / "petops.toml"
    file.write_text(example, encoding="utf-8")
    settings = load(file, {}).settings
    for name, given in tomllib.loads(example).items():
        if name in READ_BY:
            assert len(READ_BY[name](settings)) == len(given)
        else:
            assert name in {*sections(), *rules()}


def test_every_rule_that_the_engine_reads_has_an_example() -> None:
    shown = {name for example in EXAMPLES for name in tomllib.loads(example)}
    assert set(READ_BY) <= shown
