"""`aws`, as far as the documentation uses it: the same words to the same API, by way of boto3."""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import OperationModel, Shape
from botocore.session import get_session


def operation(service: str, name: str) -> OperationModel:
    """Return the operation that a subcommand is; raise ValueError where there is none."""
    model = get_session().get_service_model(service)
    for each in model.operation_names:
        if xform_name(each, "-") == name:
            return model.operation_model(each)
    raise ValueError(f"{service} has no {name}")


def arguments(model: OperationModel, words: list[str]) -> dict[str, Any]:
    """Return the options as the operation's parameters."""
    members = model.input_shape.members if model.input_shape else {}
    known = {f"--{xform_name(name, '-')}": (name, shape) for name, shape in members.items()}
    given: dict[str, Any] = {}
    while words:
        option = words.pop(0)
        if option not in known:
            raise ValueError(f"{model.name} has no option {option}")
        name, shape = known[option]
        values = []
        while words and not words[0].startswith("--"):
            values.append(words.pop(0))
        given[name] = value_of(shape, values)
    return given


def value_of(shape: Shape, values: list[str]) -> Any:
    if shape.type_name == "boolean":
        return not values or values[0] == "true"
    if shape.type_name == "list":
        member = shape.member
        return [value_of(member, [one]) for one in values]
    (text,) = values
    if shape.type_name == "structure":
        return dict(pair.split("=", 1) for pair in text.split(","))
    if shape.type_name in {"integer", "long"}:
        return int(text)
    return float(text) if shape.type_name == "double" else text


def main() -> None:
    service, name, *words = sys.argv[1:]
    try:
        model = operation(service, name)
        client = boto3.client(service)
        answer = getattr(client, xform_name(model.name))(**arguments(model, words))
    except (ValueError, ClientError) as exc:
        sys.exit(f"aws: {exc}")
    answer.pop("ResponseMetadata", None)
    sys.stdout.write(json.dumps(answer, indent=4, default=str) + "\n")


if __name__ == "__main__":
    main()
