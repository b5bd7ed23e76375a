"""Makes what petops needs in an AWS account, shows it first, and takes it away again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from petops.errors import NotThereError, RefusedError, UsageError
from petops.programs.attach import settings_here
from petops.programs.printing import Printer, print_json
from petops.sources.aws_account import AwsAccount, open_account, whose
from petops.sources.aws_pieces import Difference, Piece, Place, difference, pieces, policies


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line says."""

    prefix: str = "devops-agent"
    alarm_prefix: str = ""
    region: str = ""
    dry_run: bool = False
    adopt: bool = False
    as_json: bool = False


async def place_of(config: Path | None, choice: Choice) -> Place:
    """Return account and region, as AWS itself says who we are."""
    settings = settings_here(config).settings
    region = choice.region or settings.cluster.region
    if not region:
        raise UsageError("no AWS region is set", hint="give --region, or set AWS_REGION")
    account, partition = await whose(region)
    return Place(
        account=account,
        region=region,
        partition=partition,
        prefix=choice.prefix,
        alarm_prefix=choice.alarm_prefix,
    )


async def set_up(config: Path | None, choice: Choice) -> None:
    """Make or change what differs; with `dry_run` only say what that would be."""
    async with open_account(await place_of(config, choice)) as account:
        found = await differences(account)
        foreign = [one for one in found if one.is_foreign]
        if foreign and not choice.adopt and not choice.dry_run:
            raise RefusedError(
                f"{', '.join(str(one.piece) for one in foreign)} exists, and was not made by this",
                hint="another --name-prefix, or --adopt: then `teardown` removes it too",
            )
        if not choice.dry_run:
            for one in found:
                if not one.is_none or one.is_foreign:
                    await account.make(one)
        _tell(account.place, found, choice, await settings_of(account))


async def differences(account: AwsAccount) -> Sequence[Difference]:
    """Compare each piece with what is there."""
    wanted = pieces(account.place)
    return [difference(one, await account.found(one)) for one in wanted]


async def tear_down(config: Path | None, choice: Choice) -> None:
    """Remove what carries this setup's tag, and nothing else."""
    async with open_account(await place_of(config, choice)) as account:
        removed: list[Piece] = []
        for one in reversed(pieces(account.place)):
            found = await account.found(one)
            if found is None or found.owner != choice.prefix:
                continue
            if not choice.dry_run:
                await account.remove(found)
            removed.append(found)
        _tell_removed(removed, choice)


async def show_policies(config: Path | None, choice: Choice) -> None:
    """Print the policies as IAM takes them."""
    print_json(policies(await place_of(config, choice)))


def _tell(
    place: Place, found: Sequence[Difference], choice: Choice, settings: Mapping[str, str]
) -> None:
    if choice.as_json:
        print_json(_as_json(place, found, choice) | {"settings": settings})
        return
    printer = Printer()
    for one in found:
        sign = "+" if one.is_new else "~" if one.changed else "="
        foreign = " (not made by petops)" if one.is_foreign else ""
        printer.say(f"{sign} {one.piece}{foreign}", {"+": "green", "~": "yellow"}.get(sign, ""))
        if one.is_new and choice.dry_run:
            for name, value in one.piece.attributes.items():
                printer.say(f"    {name}: {_shown(value)}")
        for name, (was, to) in one.changed.items():
            printer.say(f"    {name}: {_shown(was)} -> {_shown(to)}")
    changes = sum(not one.is_none for one in found)
    done = "would be made or changed" if choice.dry_run else "made or changed"
    printer.say(f"{changes} of {len(found)} {done}" if changes else "nothing to do")
    if settings:
        printer.say("for petops.toml:")
    for name, value in settings.items():
        printer.say(f'  {name} = "{value}"')


async def settings_of(account: AwsAccount) -> dict[str, str]:
    """Return the settings that point petops at what is there."""
    place = account.place
    try:
        return {
            "alarms.sqs_queue_url": await account.queue_url(place.queue),
            "alarms.dead_letter_url": await account.queue_url(place.dead_letters),
        }
    except NotThereError:  # a dry run before anything was made
        return {}


def _as_json(place: Place, found: Sequence[Difference], choice: Choice) -> dict[str, Any]:
    return {
        "account": place.account,
        "region": place.region,
        "dry_run": choice.dry_run,
        "pieces": [
            {
                "kind": str(one.piece.kind),
                "name": one.piece.name,
                "action": "make" if one.is_new else "change" if one.changed else "none",
                "is_foreign": one.is_foreign,
                "changed": {
                    name: {"was": was, "to": to} for name, (was, to) in one.changed.items()
                },
                "attributes": dict(one.piece.attributes),
            }
            for one in found
        ],
    }


def _tell_removed(removed: Sequence[Piece], choice: Choice) -> None:
    if choice.as_json:
        listed = [{"kind": str(one.kind), "name": one.name} for one in removed]
        print_json({"dry_run": choice.dry_run, "removed": listed})
        return
    printer = Printer()
    for one in removed:
        printer.say(f"- {one}", "red")
    done = "would be removed" if choice.dry_run else "removed"
    printer.say(f"{len(removed)} {done}" if removed else "nothing here was made by petops")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
