"""What a model says about its keys, in words: for the reference pages, the schema and `validate`."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence as AbstractSequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from pipeline.config.durations import NumbersAreNanoseconds, format_duration
from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.model import refusal_of
from pipeline.config.types import Pattern, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from pipeline.config.tree import Path

_NAMES: Final[dict[type, str]] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    SecretStr: "text, secret",
    Pattern: "RE2 pattern",
    ComponentId: "component id",
    PipelineId: "pipeline id",
    str: "text",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a component, at any depth."""

    path: str
    """Keys from the component down, joined by dots; `[]` stands for the items of a list, `*` for free keys."""
    type: str
    default: str
    """As YAML; empty where the key is required."""
    description: str
    refused: bool


def summary(cls: type[Any]) -> str:
    """The first sentence of a class's docstring, on one line."""
    paragraph = inspect.cleandoc(cls.__doc__ or "").split("\n\n", 1)[0]
    line = " ".join(paragraph.split())
    head, stop, _ = line.partition(". ")
    return head + "." if stop else line


@cache
def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Description of each field: that of `Field(description=...)`, else the docstring under the attribute."""
    found: dict[str, str] = {}
    for cls in reversed([base for base in model.__mro__ if issubclass(base, BaseModel) and base is not BaseModel]):
        found |= _attribute_docs(cls)
    written = {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: " ".join(text.split()) for name, text in (found | written).items() if name in model.model_fields}


def _attribute_docs(cls: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }  # fmt: skip


def keys(model: type[BaseModel], prefix: str = "", seen: frozenset[type] = frozenset()) -> Iterator[Key]:
    """Every key of a model and of the blocks inside it, in the order of declaration, without those of repetitions."""
    texts = descriptions(model)
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        reason = refusal_of(model, name)
        text = texts.get(name, "") if reason is None else reason
        type_text = _with_metadata(field)
        yield Key(path, "" if reason else type_text, default_text(field), text, reason is not None)
        for step, block in blocks(field.annotation):
            if block not in seen and reason is None and not getattr(block, "is_repetition", False):
                yield from keys(block, f"{path}{step}.", seen | {block, model})


def blocks(annotation: Any, step: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The models inside an annotation, with what stands between the key and them: `[]` for lists, `.*` for maps."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and origin is None and issubclass(annotation, BaseModel):
        yield step, annotation
    elif origin is Annotated:
        yield from blocks(get_args(annotation)[0], step)
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from blocks(member, step)
    elif isinstance(origin, type) and issubclass(origin, AbstractMapping):
        yield from blocks(get_args(annotation)[1], f"{step}.*")
    elif isinstance(origin, type) and issubclass(origin, AbstractSequence | AbstractSet):
        yield from blocks(get_args(annotation)[0], f"{step}[]")


def default_text(field: FieldInfo) -> str:
    """The default of a field as YAML; empty for a required one."""
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True, validated_data={})
    if any(isinstance(item, NumbersAreNanoseconds) for item in _metadata_of(field)) and isinstance(value, int | float):
        return format_duration(value)
    if value is None:
        return "off" if any(blocks(field.annotation)) else "not set"
    return _yaml(value)


def _metadata_of(field: FieldInfo) -> list[Any]:
    inner = [item for member in get_args(field.annotation) for item in getattr(member, "__metadata__", ())]
    return [*field.metadata, *inner]


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, SecretStr):
        return '""'
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return value if value.strip() and value.isprintable() else json.dumps(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    return str(value)


def _with_metadata(field: FieldInfo) -> str:
    return type_name(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)


def type_name(annotation: Any) -> str:
    """A type in a reader's words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated_name(arguments[0], arguments[1:])
    if origin is Literal:
        return "one of " + ", ".join(f"`{choice}`" if choice != "" else '`""`' for choice in arguments)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(type_name(item) for item in arguments if item is not NoneType))
    kind = origin or annotation
    if kind in (Any, object) or not isinstance(kind, type):
        return "any"
    if issubclass(kind, Enum):
        return "one of " + ", ".join(f"`{member.value}`" for member in kind)
    if issubclass(kind, BaseModel):
        return "block"
    return next((text for base, text in _NAMES.items() if issubclass(kind, base)), None) or _container(kind, arguments)


def _annotated_name(base: Any, metadata: tuple[Any, ...]) -> str:
    for item in metadata:
        if isinstance(item, NumbersAreNanoseconds):
            return "duration"
        if isinstance(item, Reference):
            return f"id of {'an' if item.kind[0] in 'aeiou' else 'a'} {item.kind[:-1]}"
    return type_name(base)


def _container(kind: type, arguments: tuple[Any, ...]) -> str:
    if issubclass(kind, AbstractMapping):
        return f"map of {type_name(arguments[1])}" if arguments else "map"
    if issubclass(kind, AbstractSequence | AbstractSet):
        return f"list of {type_name(arguments[0])}" if arguments else "list"
    return kind.__name__


def description_at(model: type[BaseModel], path: Path) -> str:
    """The description of the key at `path` below a model; that of the nearest key above where it has none."""
    text, current = "", [model]
    for part in path:
        match = next(
            ((block, name) for block in current for name, field in block.model_fields.items()
             if part == (field.alias or name)), None
        )  # fmt: skip
        if match is None:
            continue
        block, name = match
        text = descriptions(block).get(name, text)
        current = [inner for _, inner in blocks(block.model_fields[name].annotation)] or current
    return text
