"""`petops setup aws` against moto's server: made once, changed where it differs, taken away."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.session import get_session
from moto.server import ThreadedMotoServer

from petops.errors import RefusedError
from petops.programs.aws_setup import Choice, differences, set_up, tear_down
from petops.sources.aws_account import open_account
from petops.sources.aws_pieces import Piece, PieceKind, Place, pieces, policies, same

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"  # moto's own
TEMPLATE = ROOT / "manifests" / "aws" / "devops-agent.yaml"
NUMBERS = count()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def place(server: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A part of the account that no other test has."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "KUBECONFIG": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    return Place(account=ACCOUNT, region="eu-west-1", prefix=f"t{next(NUMBERS)}-agent")


def choice(place: Place, **given: Any) -> Choice:
    alarms = given.pop("alarm_prefix", place.alarm_prefix)
    return Choice(prefix=place.prefix, alarm_prefix=alarms, as_json=True, **given)


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def actions(document: Any) -> list[str]:
    return [one["action"] for one in document["pieces"]]


async def there(place: Place) -> list[Piece | None]:
    async with open_account(place) as account:
        return [await account.found(one) for one in pieces(place)]


async def test_it_is_made_once_and_then_there_is_nothing_to_do(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    await set_up(None, choice(place, dry_run=True))
    assert actions(told(capsys)) == ["make"] * 5
    assert await there(place) == [None] * 5, "a dry run makes nothing"
    await set_up(None, choice(place))
    made = told(capsys)
    assert actions(made) == ["make"] * 5
    url = made["settings"]["alarms.sqs_queue_url"]
    assert url.endswith(f"/{place.queue}")
    await set_up(None, choice(place))
    assert actions(told(capsys)) == ["none"] * 5


async def test_what_was_changed_by_hand_is_shown_and_put_back(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    await set_up(None, choice(place))
    capsys.readouterr()
    events = boto3.client("events")
    events.disable_rule(Name=place.rule)
    await set_up(None, choice(place, dry_run=True, alarm_prefix="prod-"))
    rule = told(capsys)["pieces"][2]
    assert rule["changed"]["State"] == {"was": "DISABLED", "to": "ENABLED"}
    assert rule["changed"]["EventPattern"]["to"]["detail"] == {"alarmName": [{"prefix": "prod-"}]}
    assert events.describe_rule(Name=place.rule)["State"] == "DISABLED"
    for number in range(5):  # IAM keeps five versions of a policy
        arn = place.arn("iam", f"policy/{place.prefix}-{place.region}", region="")
        versions = boto3.client("iam").list_policy_versions(PolicyArn=arn)["Versions"]
        assert len(versions) <= 5
        await set_up(None, choice(replace_prefix(place, number)))
        capsys.readouterr()
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=place.queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    await set_up(None, choice(place))
    changed = told(capsys)["pieces"]
    assert list(changed[1]["changed"]) == ["Policy"]
    assert events.describe_rule(Name=place.rule)["State"] == "ENABLED"
    async with open_account(place) as account:
        assert all(one.is_none for one in await differences(account))


def replace_prefix(place: Place, number: int) -> Place:
    return Place(
        account=place.account,
        region=place.region,
        prefix=place.prefix,
        alarm_prefix=f"team-{number}-",
    )


async def test_what_people_added_to_the_target_stays(place: Place) -> None:
    await set_up(None, choice(place))
    events = boto3.client("events")
    (target,) = events.list_targets_by_rule(Rule=place.rule)["Targets"]
    other = {"Id": "other", "Arn": place.arn("sqs", "of-another-team")}
    kept = {"MaximumRetryAttempts": 7, "MaximumEventAgeInSeconds": 3600}
    events.put_targets(Rule=place.rule, Targets=[target | {"RetryPolicy": kept}, other])
    events.disable_rule(Name=place.rule)
    await set_up(None, choice(place))
    targets = {one["Id"]: one for one in events.list_targets_by_rule(Rule=place.rule)["Targets"]}
    assert targets["alarms"]["RetryPolicy"] == kept
    assert "other" in targets


async def test_what_others_made_is_neither_changed_nor_removed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=place.queue, Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    with pytest.raises(RefusedError, match=f"queue {place.queue} exists, and was not made by"):
        await set_up(None, choice(place))
    assert [one and one.name for one in await there(place)] == [None, place.queue, *[None] * 3]
    await tear_down(None, choice(place))
    assert told(capsys)["removed"] == []
    await set_up(None, choice(place, adopt=True))
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert found["Attributes"]["VisibilityTimeout"] == "120"


async def test_teardown_removes_all_that_was_made_and_nothing_else(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Place(account=ACCOUNT, region=place.region, prefix=f"{place.prefix}-2")
    await set_up(None, choice(place))
    await set_up(None, choice(other))
    await set_up(None, choice(place, alarm_prefix="x"))
    capsys.readouterr()
    await tear_down(None, choice(place, dry_run=True))
    assert len(told(capsys)["removed"]) == 5
    assert None not in await there(place)
    await tear_down(None, choice(place))
    assert len(told(capsys)["removed"]) == 5
    assert await there(place) == [None] * 5
    assert None not in await there(other)


async def test_a_policy_that_a_role_holds_is_not_pulled_from_under_it(place: Place) -> None:
    await set_up(None, choice(place))
    iam = boto3.client("iam")
    iam.create_role(RoleName=place.prefix, AssumeRolePolicyDocument="{}")
    (name, *_) = policies(place)
    arn = place.arn("iam", f"policy/{name}", region="")
    iam.attach_role_policy(RoleName=place.prefix, PolicyArn=arn)
    with pytest.raises(RefusedError, match="is attached to the role") as raised:
        await tear_down(None, choice(place))
    assert raised.value.hint
    assert raised.value.hint.startswith("aws iam detach-role-policy")


class Template:
    """Reads the template as CloudFormation does, as far as this one goes."""

    def __init__(self, place: Place) -> None:
        self.document = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=Tags)  # noqa: S506
        self.names = {
            "AWS::Region": place.region,
            "AWS::Partition": place.partition,
            "AWS::AccountId": place.account,
            "NamePrefix": place.prefix,
            "AlarmPrefix": place.alarm_prefix,
        }

    def resources(self, kind: str) -> dict[str, Any]:
        return {
            name: self.value(one["Properties"])
            for name, one in self.document["Resources"].items()
            if one["Type"] == kind
        }

    def value(self, given: Any) -> Any:
        if isinstance(given, Tagged):
            return self.tagged(given.tag, given.value)
        if isinstance(given, dict):
            found = {name: self.value(one) for name, one in given.items()}
            return {name: one for name, one in found.items() if one is not None}
        return [self.value(one) for one in given] if isinstance(given, list) else given

    def tagged(self, tag: str, value: Any) -> Any:
        if tag == "If":
            condition, yes, no = value
            return self.value(yes if self.value(self.conditions[condition]) else no)
        if tag == "Ref":
            return None if value == "AWS::NoValue" else self.names.get(value, value)
        if tag == "Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda found: self.names[found[1]], value)
        if tag == "GetAtt":
            return self.arn(value.removesuffix(".Arn"))
        known = [self.value(one) for one in value]
        return not known[0] if tag == "Not" else known[0] == known[1]

    @property
    def conditions(self) -> dict[str, Any]:
        return dict(self.document["Conditions"])

    def arn(self, name: str) -> str:
        resource = self.document["Resources"][name]
        region, account = self.names["AWS::Region"], self.names["AWS::AccountId"]
        if resource["Type"] == "AWS::Events::Rule":
            rule = self.value(resource["Properties"]["Name"])
            return f"arn:aws:events:{region}:{account}:rule/{rule}"
        queue = self.value(resource["Properties"]["QueueName"])
        return f"arn:aws:sqs:{region}:{account}:{queue}"


@dataclass(frozen=True)
class Tagged:
    """A value with a tag of CloudFormation's."""

    tag: str
    value: Any


class Tags(yaml.SafeLoader):
    """Reads `!Ref` and its like."""


def _tagged(loader: Tags, suffix: str, node: yaml.Node) -> Tagged:
    if isinstance(node, yaml.ScalarNode):
        return Tagged(suffix, loader.construct_scalar(node))
    assert isinstance(node, yaml.SequenceNode)
    return Tagged(suffix, loader.construct_sequence(node, deep=True))


Tags.add_multi_constructor("!", _tagged)


def made_by(template: Template) -> dict[tuple[str, str], dict[str, Any]]:
    """What the template makes, as pieces have it."""
    policies_of = {
        queue: one["PolicyDocument"]
        for one in template.resources("AWS::SQS::QueuePolicy").values()
        for queue in one["Queues"]
    }
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for name, one in template.resources("AWS::SQS::Queue").items():
        one["SqsManagedSseEnabled"] = str(one["SqsManagedSseEnabled"]).lower()
        one["Policy"] = policies_of[name]
        found["queue", one.pop("QueueName")] = one
    for one in template.resources("AWS::Events::Rule").values():
        (one["Target"],) = one.pop("Targets")
        del one["Description"]
        found["rule", one.pop("Name")] = one
    for one in template.resources("AWS::IAM::ManagedPolicy").values():
        found["policy", one.pop("ManagedPolicyName")] = one
    return found


@pytest.mark.parametrize("alarm_prefix", ["", "prod-"])
def test_cloudformation_makes_the_very_same(alarm_prefix: str) -> None:
    place = Place(
        account=ACCOUNT, region="eu-west-1", prefix="some-agent", alarm_prefix=alarm_prefix
    )
    made = made_by(Template(place))
    assert set(made) == {(str(one.kind), one.name) for one in pieces(place)}
    for one in pieces(place):
        attributes = made[str(one.kind), one.name]
        assert set(attributes) == set(one.attributes), one
        for name, value in one.attributes.items():
            assert same(value, attributes[name]), f"{one}: {name}"


def test_the_template_is_what_cloudformation_takes() -> None:
    from cfnlint.api import lint  # noqa: PLC0415 - a second

    assert lint(TEMPLATE.read_text(encoding="utf-8"), regions=["eu-west-1"]) == []


# --- the policies allow what is called, and no more


def called() -> set[str]:
    """The IAM action of every AWS operation that the adapters (setup's apart) name."""
    names: dict[str, set[str]] = {}
    session = get_session()
    for service in ("sqs", "events", "cloudwatch", "logs", "xray", "secretsmanager"):
        model = session.get_service_model(service)
        for operation in model.operation_names:
            snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()
            names.setdefault(snake, set()).add(f"{service}:{operation}")
    found: set[str] = set()
    for path in (ROOT / "src" / "petops").rglob("*.py"):
        if path.name in {"aws_account.py", "aws.py"} or "lab" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="call" | "_call"), args=[*given]):
                    for one in given[:2]:
                        if isinstance(one, ast.Constant) and one.value in names:
                            found |= names[one.value]
                case ast.Call(func=ast.Attribute(attr=name)) if name in names:
                    found |= names[name]
    return found


def test_the_policies_allow_what_is_called_and_no_more(place: Place) -> None:
    document = policies(place)[f"{place.prefix}-{place.region}"]
    allowed = {action for one in document["Statement"] for action in one["Action"]}
    needed = called()
    assert needed, "the code was not understood"
    assert needed <= allowed, f"not allowed: {needed - allowed}"
    assert allowed <= needed, f"allowed for nothing: {allowed - needed}"
    for statement in document["Statement"]:
        if statement["Resource"] == "*":
            assert not [one for one in statement["Action"] if one.startswith(("sqs", "secrets"))]


def test_differences_are_of_meaning_and_not_of_form() -> None:
    assert same(["a"], "a")
    assert same({"x": ["b", "a"]}, {"x": ["a", "b"]})
    assert same(300, "300")
    assert not same(["a", "b"], ["a"])
    assert not same(None, {})
    assert {one.kind for one in pieces(Place(account="1", region="r"))} == {*PieceKind}
