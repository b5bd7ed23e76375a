"""Settings: where each value comes from, and what is said of those that make no sense."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from petops.config import load, shown
from petops.config.rules import assessment_rules, mapping_rules
from petops.domain.alarm import Environment
from petops.domain.subject import Kind
from petops.errors import UsageError

ROOT = Path(__file__).parents[2]


def written(folder: Path, text: str) -> Path:
    file = folder / "petops.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = written(
        tmp_path, '[cluster]\nname = "a"\naccount = "1"\n[engine]\nwindow_minutes = 60\n'
    )
    loaded = load(file, {"PETOPS_CLUSTER_NAME": "b"})
    assert loaded.settings.cluster.name == "b"
    assert loaded.settings.cluster.account == "1"
    assert loaded.settings.engine.window_minutes == 60.0
    assert loaded.settings.engine.approval_minutes == 30.0
    origins = {one.name: one.origin for one in shown(loaded)}
    assert origins["cluster.name"] == "variable PETOPS_CLUSTER_NAME"
    assert origins["cluster.account"] == f"file {file}"
    assert origins["engine.approval_minutes"] == "default"


def test_secrets_are_masked(tmp_path: Path) -> None:
    del tmp_path
    loaded = load(None, {"PETOPS_TOKEN": "hunter2", "PETOPS_PROMETHEUS_TOKEN": "hunter3"})
    text = json.dumps([one.value for one in shown(loaded)])
    assert "hunter" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[clutser]\n", "clutser is no section"),
        ("[cluster]\nnmae = 'x'\n", "nmae is no setting in"),
        ("[engine]\nwindow_minutes = 'soon'\n", "must be a number"),
        ("[cluster]\nname = 3\n", "must be text"),
        ("cluster = 3\n", "must be a table"),
        ("mapping = 3\n", "must be a list of tables"),
        ("[cluster\n", "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        load(written(tmp_path, text), {})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no settings file"):
        load(tmp_path / "none.toml", {})


def test_rules_are_read_and_checked(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[[mapping]]\nalarm = "checkout-*"\nnamespace = "shop"\nname = "checkout"\n'
        '[[assessment]]\nalarm = "*-heap"\ncategory = "memory"\n',
    )
    settings = load(file, {}).settings
    (rule,) = mapping_rules(settings)
    assert (rule.kind, rule.namespace, rule.name) == (Kind.DEPLOYMENT, "shop", "checkout")
    assert assessment_rules(settings).categories[0].alarm == "*-heap"
    for text in ('[[mapping]]\nalarm = "x"\n', '[[mapping]]\nname = "x"\nkind = "Thing"\n'):
        with pytest.raises(UsageError, match="makes no sense"):
            mapping_rules(load(written(tmp_path, text), {}).settings)
    with pytest.raises(UsageError, match="makes no sense"):
        assessment_rules(load(written(tmp_path, '[[assessment]]\nalarm = "x"\n'), {}).settings)


def test_the_environment_is_one_of_three(tmp_path: Path) -> None:
    file = written(tmp_path, '[cluster]\nenvironment = "staging"\n')
    assert assessment_rules(load(file, {}).settings).environment is Environment.STAGING
    with pytest.raises(UsageError, match="production, staging, development"):
        assessment_rules(load(file, {"PETOPS_CLUSTER_ENVIRONMENT": "prod"}).settings)


def test_the_settings_of_the_readme_are_settings(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    tomllib.loads(example)
    settings = load(written(tmp_path, example), {}).settings
    assert settings.cluster.name == "prod-1"
    assert mapping_rules(settings)[0].name == "checkout"
