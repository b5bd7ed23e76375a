"""The organisation's rules on alarms, from the tables of the settings; UsageError for nonsense."""

from __future__ import annotations

from petops.config.sections import Settings
from petops.domain.alarm import Category, Environment
from petops.domain.alarm_mapping import MappingRule
from petops.domain.assessment import AssessmentRules, CategoryRule
from petops.domain.policy_tables import hours
from petops.domain.subject import Kind
from petops.errors import UsageError


def mapping_rules(settings: Settings) -> tuple[MappingRule, ...]:
    """Return the `[[mapping]]` rules: which object an alarm is about that does not say it."""
    rules = []
    for given in settings.mapping:
        try:
            kind = Kind(given.get("kind", Kind.DEPLOYMENT))
            rules.append(
                MappingRule(
                    kind=kind,
                    name=given["name"],
                    namespace=given.get("namespace", ""),
                    alarm=given.get("alarm", "*"),
                    labels=tuple(sorted(dict(given.get("labels", {})).items())),
                )
            )
        except (KeyError, ValueError, TypeError, AttributeError) as exc:
            raise UsageError(
                f"a [[mapping]] rule in the settings makes no sense: {exc}",
                hint='for example: alarm = "checkout-*", namespace = "shop", name = "checkout"',
            ) from exc
    return tuple(rules)


def assessment_rules(settings: Settings) -> AssessmentRules:
    """Return the `[[assessment]]` rules: which category an alarm is of, by its name."""
    rules = []
    for given in settings.assessment:
        try:
            rules.append(CategoryRule(alarm=given["alarm"], category=Category(given["category"])))
        except (KeyError, ValueError, TypeError) as exc:
            raise UsageError(
                f"an [[assessment]] rule in the settings makes no sense: {exc}",
                hint='for example: alarm = "*-heap", category = "memory"',
            ) from exc
    return AssessmentRules(
        categories=tuple(rules),
        hours=hours(settings.hours),
        environment=environment(settings.cluster.environment),
    )


def environment(text: str) -> Environment:
    """Return what the cluster is for."""
    try:
        return Environment(text)
    except ValueError:
        known = ", ".join(one for one in Environment if one)
        raise UsageError(f"cluster.environment is one of {known}, not {text[:40]!r}") from None
