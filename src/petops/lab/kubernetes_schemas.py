"""What each kind consists of, for `kubectl explain`: read from the Python client's models.

Their files are read as text, and only when they are asked for: to import them all takes a second,
and tens of megabytes.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from petops.lab.resource_rows import Resource
from petops.lab.store import Json

_PREFIX: Final = "#/components/schemas/"
_VERSION: Final = re.compile(r"^(?:[A-Z][a-z]+)?V\d+(?:(?:alpha|beta)\d+)?(?=[A-Z])")
_END: Final = re.compile(r"^    (?:@|def |model_config)", re.MULTILINE)
_GROUPS: Final = {"": "Core", "events.k8s.io": "Events"}
_SIMPLE: Final[Mapping[str, Json]] = {
    "StrictBool": {"type": "boolean"},
    "StrictFloat": {"type": "number", "format": "double"},
    "StrictInt": {"type": "integer", "format": "int32"},
    "StrictStr": {"type": "string"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date-time"},
    "datetime": {"type": "string", "format": "date-time"},
    "float": {"type": "number", "format": "double"},
    "int": {"type": "integer", "format": "int32"},
    "str": {"type": "string"},
}


def schemas_of(resource: Resource) -> dict[str, Json]:
    """Return a kind's schema under its name, with all that it is made of."""
    version = resource.version[:1].upper() + resource.version[1:]
    names = (
        f"{version}{resource.kind}",
        f"{_GROUPS.get(resource.group, '')}{version}{resource.kind}",
    )
    first = next((name for name in names if name.lower() in _files()), None)
    if first is None:
        return {}
    found: dict[str, Json] = {}
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if schema_name(name) not in found:
            found[schema_name(name)] = _schema(name)
            waiting += _parts(name)
    gvk = {"group": resource.group, "kind": resource.kind, "version": resource.version}
    own = found[schema_name(first)]
    return {**found, schema_name(first): {**own, "x-kubernetes-group-version-kind": [gvk]}}


def schema_name(model: str) -> str:
    """Return what the API calls a model's schema: its last part is what people see."""
    bare = _VERSION.sub("", model)
    version = model[: len(model) - len(bare)].lower() or "v1"
    return f"io.k8s.api.{version}.{bare}"


@cache
def _files() -> Mapping[str, Path]:
    """Return the models' files by their names in small letters."""
    package = importlib.util.find_spec("kubernetes")
    places = package.submodule_search_locations if package is not None else None
    if not places:
        return {}
    folder = Path(next(iter(places))) / "client" / "models"
    return {one.stem.replace("_", ""): one for one in folder.glob("*.py")}


@cache
def _model(name: str) -> ast.ClassDef | None:
    """Return the fields of a model, as they are written."""
    file = _files().get(name.lower())
    if file is None:
        return None
    text = file.read_text(encoding="utf-8")
    start = text.find(f"class {name}(BaseModel):")
    if start < 0:
        return None
    end = _END.search(text, start)
    tree = ast.parse(text[start : end.start() if end else len(text)])
    (found,) = tree.body
    return found if isinstance(found, ast.ClassDef) else None


@cache
def _schema(name: str) -> Json:
    model = _model(name)
    if model is None:
        return {"type": "object"}
    fields, required = {}, []
    for field, kind, options in _fields(model):
        shown = _type(kind)
        if "description" in options:
            shown = {"description": options["description"], **shown}
        fields[options.get("serialization_alias", field)] = shown
        if "default" not in options:
            required.append(options.get("serialization_alias", field))
    made: Json = {"type": "object", "properties": fields}
    told = (ast.get_docstring(model) or "").partition("\n\nAttributes:")[0].strip()
    if told:
        made = {"description": told, **made}
    return made | ({"required": required} if required else {})


def _parts(name: str) -> list[str]:
    """Return the models that a model's fields are made of."""
    model = _model(name)
    texts = [ast.unparse(kind) for _, kind, _ in _fields(model)] if model else []
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    return [word for word in words if word.lower() in _files()]


def _fields(model: ast.ClassDef) -> Iterator[tuple[str, ast.expr, dict[str, Any]]]:
    """Yield each field's name, type and options; `default` stands where it may be left out."""
    for line in model.body:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        options: dict[str, Any] = {}
        if isinstance(line.value, ast.Call):
            for one in line.value.keywords:
                if isinstance(one.value, ast.Constant):
                    options[str(one.arg)] = one.value.value
        elif line.value is not None:
            options["default"] = None
        if "ClassVar" not in ast.unparse(line.annotation) and line.target.id[0] != "_":
            yield line.target.id, line.annotation, options


def _type(kind: ast.expr) -> Json:
    """Return a type as OpenAPI says it."""
    if isinstance(kind, ast.Constant):
        return _type(ast.parse(str(kind.value), mode="eval").body)
    if isinstance(kind, ast.Subscript) and isinstance(kind.value, ast.Name):
        outer, inner = kind.value.id, kind.slice
        first = inner.elts[-1] if isinstance(inner, ast.Tuple) and outer == "Dict" else inner
        if isinstance(first, ast.Tuple):  # Annotated, Union: what stands first
            first = first.elts[0]
        below = _type(first)
        if outer == "List":
            return {"type": "array", "items": below}
        if outer == "Dict":
            return {"type": "object", "additionalProperties": below}
        return below
    name = ast.unparse(kind)
    if name.lower() in _files():
        return {"default": {}, "allOf": [{"$ref": _PREFIX + schema_name(name)}]}
    return dict(_SIMPLE.get(name, {"type": "object"}))
