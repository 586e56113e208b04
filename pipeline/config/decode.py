"""A tree and a model -> an instance of the model, and every problem on the way with its place.

Values are checked against the model's annotations here, before pydantic sees them, because the Collector's rules are
not pydantic's: no weak typing, the original text of an expansion for fields of text, a fraction for an integer is cut,
text for a list of text splits at commas, numbers are nanoseconds where a duration is meant. Constraints and validators
are pydantic's.
"""

from __future__ import annotations

from collections.abc import Mapping as AbstractMapping
from collections.abc import Sequence as AbstractSequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import Enum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, PlainValidator, SecretStr, ValidationError, WrapValidator

from pipeline.config.durations import NumbersAreNanoseconds, parse_duration
from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.messages import describe, translate
from pipeline.config.model import refusal_of
from pipeline.config.suggest import hint
from pipeline.config.tree import Mapping, Node, Path, Position, Scalar, Sequence, is_null, plain
from pipeline.config.types import ANY_CASE, VERSION, Pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

    from pipeline.errors import Problem

M = TypeVar("M", bound=BaseModel)

_TEXT_TYPES: Final = (str, SecretStr, Pattern, ComponentId, PipelineId, PurePath)
_OWN_READERS: Final = (BeforeValidator, PlainValidator, WrapValidator)
_MISSING: Final = object()
"""A null for a field that cannot be null: the field keeps its default, as in the Collector."""


def decode(node: Node, model: type[M], path: Path, place: Position) -> tuple[M | None, list[Problem]]:
    """Decode the block at `path` whose key stands at `place`; the instance is None when there are problems."""
    decoder = _Decoder()
    data = decoder.block(node, model, path, place)
    try:
        instance = model.model_validate(data)
    except ValidationError as error:
        found = [*decoder.problems, *translate(error, node, path, place, decoder.reported)]
        return None, found
    return (None if decoder.problems else instance), decoder.problems


class _Decoder:
    """One walk over a tree along the annotations of a model."""

    def __init__(self, *, hides: bool = False) -> None:
        self._hides = hides
        self.problems: list[Problem] = []
        self.reported: set[Path] = set()
        self.expected: list[str] = []
        """What should have stood in places where something else does."""

    def _problem(self, message: str, path: Path, place: Position) -> None:
        self.problems.append(place.problem(message, path))
        self.reported.add(path)

    def _describe(self, node: Node) -> str:
        return describe(replace(node, text="") if self._hides else node)

    def _wrong(self, expected: str, node: Node, path: Path, meant: str = "") -> Any:
        self.expected.append(expected)
        self._problem(f"expected {expected}, got {self._describe(node)}{meant}", path, node.position)
        return plain(node)

    def block(self, node: Node, model: type[BaseModel], path: Path, place: Position) -> Any:
        """The values of a mapping for a model; null is an empty block."""
        if is_null(node):
            return {}
        if _reshapes(model):
            return plain(node)
        if not isinstance(node, Mapping):
            self._problem(f"expected a mapping, got {describe(node)}", path, place)
            return {}
        fields = {field.alias or name: (name, field) for name, field in model.model_fields.items()}
        free = _own_fields(model)
        data: dict[str, Any] = {}
        for key, item in node.items.items():
            below = (*path, key)
            if key not in fields:
                self._unknown(key, model, fields, below, node.keys[key])
                data[key] = plain(item)
                continue
            name, field = fields[key]
            # Of a refused key only the refusal is of interest, not whether its value has the right type.
            decoder = self if refusal_of(model, name) is None else _Decoder()
            hid, decoder._hides = decoder._hides, _is_secret(field.annotation)  # noqa: SLF001 - one of its own kind
            value = plain(item) if name in free else decoder.field(item, field, below, node.keys[key])
            decoder._hides = hid  # noqa: SLF001 - as above
            if value is not _MISSING:
                data[key] = value
        return data

    def _unknown(self, key: str, model: type[BaseModel], known: dict[str, Any], path: Path, place: Position) -> None:
        if model.model_config.get("extra") == "forbid":
            self._problem(f'unknown key "{key}"{hint(key, known, all_of="keys here are")}', path, place)

    def field(self, node: Node, field: FieldInfo, path: Path, place: Position) -> Any:
        """The value of a node for a field of a model."""
        return self._annotated(node, field.annotation, field.metadata, path, place)

    def _annotated(
        self, node: Node, annotation: Any, metadata: AbstractSequence[Any], path: Path, place: Position
    ) -> Any:
        if any(isinstance(item, NumbersAreNanoseconds) for item in metadata):
            return self._duration(node, path)
        if ANY_CASE in metadata and isinstance(node, Scalar) and isinstance(node.value, str):
            return self.value(replace(node, value=node.value.lower(), text=None), annotation, path, place)
        if VERSION in metadata:
            return self.value(_unquoted(node, annotation), annotation, path, place)
        if any(isinstance(item, _OWN_READERS) for item in metadata):
            return plain(node)
        return self.value(node, annotation, path, place)

    def value(self, node: Node, annotation: Any, path: Path, place: Position) -> Any:
        """The value of a node for an annotation."""
        origin = get_origin(annotation)
        if origin is Annotated:
            base, *metadata = get_args(annotation)
            return self._annotated(node, base, metadata, path, place)
        if origin in (Union, UnionType):
            return self._union(node, get_args(annotation), path, place)
        if origin is Literal:
            return self._literal(node, get_args(annotation), path)
        kind = origin or annotation
        if kind in (Any, object) or not isinstance(kind, type):
            return plain(node)
        if issubclass(kind, BaseModel):
            return self.block(node, kind, path, place)
        if is_null(node) and not _takes_text_of(node, kind):
            return None if kind is NoneType else _MISSING
        return self._simple(node, kind, get_args(annotation), path)

    def _simple(self, node: Node, kind: type, arguments: tuple[Any, ...], path: Path) -> Any:
        if issubclass(kind, Enum):
            return self._literal(node, tuple(member.value for member in kind), path)
        if issubclass(kind, _TEXT_TYPES):
            return self._text(node, path)
        if issubclass(kind, bool | int | float):
            return self._number(node, kind, path)
        if issubclass(kind, AbstractMapping):
            return self._dict(node, arguments, path)
        if issubclass(kind, AbstractSequence | AbstractSet):
            return self._list(node, arguments, path)
        return plain(node)

    def _text(self, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        if node.text is not None:
            return node.text
        quote = "; put it in quotes" if isinstance(node, Scalar) else ""
        self._problem(f"expected text, got {self._describe(node)}{quote}", path, node.position)
        return plain(node)

    def _number(self, node: Node, kind: type, path: Path) -> Any:
        value = node.value if isinstance(node, Scalar) else None
        if issubclass(kind, bool):
            return value if isinstance(value, bool) else self._wrong("true or false", node, path)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self._wrong("a whole number" if kind is int else "a number", node, path)
        if issubclass(kind, float):
            return float(value)
        try:
            return int(value)
        except (ValueError, OverflowError):
            return self._wrong("a whole number", node, path)

    def _duration(self, node: Node, path: Path) -> Any:
        value = node.value if isinstance(node, Scalar) else plain(node)
        if value is None:
            return _MISSING
        if isinstance(value, str):
            try:
                return parse_duration(value)
            except ValueError as error:
                self._problem(str(error) if node.text is None else "not a duration such as 5s", path, node.position)
                return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self._wrong("a duration such as 5s or 200ms", node, path)
        return value / 1e9

    def _literal(self, node: Node, choices: tuple[Any, ...], path: Path) -> Any:
        if is_null(node) and node.text is None:
            return None if None in choices else _MISSING
        value = node.value if isinstance(node, Scalar) else plain(node)
        if all(isinstance(choice, str) for choice in choices):
            value = node.text if node.text is not None else value
        if not isinstance(value, list | dict) and value in choices:
            return value
        return self._not_among(choices, node, path)

    def _not_among(self, choices: Iterable[Any], node: Node, path: Path) -> Any:
        words = [str(choice) or '""' for choice in choices]
        value = node.value if isinstance(node, Scalar) else None
        close = hint(value, words) if isinstance(value, str) and node.text is None else ""
        meant = close if close.startswith("; did") else ""
        return self._wrong(f"one of {', '.join(words)}", node, path, meant)

    def _list(self, node: Node, arguments: tuple[Any, ...], path: Path) -> Any:
        item_type = arguments[0] if arguments else Any
        items = node.items if isinstance(node, Sequence) else _split(node, item_type)
        if items is None:
            return self._wrong("a list", node, path)
        values = (self.value(item, item_type, (*path, index), item.position) for index, item in enumerate(items))
        return [None if value is _MISSING else value for value in values]

    def _dict(self, node: Node, arguments: tuple[Any, ...], path: Path) -> Any:
        if not isinstance(node, Mapping):
            return self._wrong("a mapping", node, path)
        value_type = arguments[1] if arguments else Any
        values = {key: self.value(item, value_type, (*path, key), node.keys[key]) for key, item in node.items.items()}
        return {key: None if value is _MISSING else value for key, value in values.items()}

    def _union(self, node: Node, members: tuple[Any, ...], path: Path, place: Position) -> Any:
        blocks = [member for member in members if _is_model(member)]
        if is_null(node) and node.text is None and NoneType in members:
            return {} if blocks and not getattr(blocks[0], "null_is_absent", False) else None
        candidates = [member for member in members if member is not NoneType]
        trials = [(member, _Decoder(hides=self._hides)) for member in candidates]
        values = [trial.value(node, member, path, place) for member, trial in trials]
        best = min(
            range(len(trials)), key=lambda index: (_misfit(node, candidates[index]), len(trials[index][1].problems))
        )
        chosen = trials[best][1]
        alternatives = [expected for _, trial in trials for expected in trial.expected]
        if chosen.problems and isinstance(node, Scalar) and len(alternatives) == len(trials) > 1:
            return self._wrong(" or ".join(alternatives), node, path)
        self.problems.extend(chosen.problems)
        self.reported |= chosen.reported
        return values[best]


def _unquoted(node: Node, versions: Any) -> Node:
    """One of the versions, as a text also where YAML read a number."""
    is_number = isinstance(node, Scalar) and isinstance(node.value, float) and str(node.value) in get_args(versions)
    return replace(node, value=str(node.value)) if isinstance(node, Scalar) and is_number else node


def _split(node: Node, item_type: Any) -> list[Node] | None:
    """The items of a list of text that is written as one text with commas; None for anything else."""
    if get_origin(item_type) is Annotated and VERSION in get_args(item_type):
        node = _unquoted(node, get_args(item_type)[0])
    if not (isinstance(node, Scalar) and isinstance(node.value, str) and _is_text(item_type)):
        return None
    words = node.value.split(",") if node.value else []
    return [replace(node, value=word, text=None if node.text is None else word) for word in words]


def _is_secret(annotation: Any) -> bool:
    """Whether values of an annotation, or of the lists and mappings in it, are secrets."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, SecretStr)
    return any(_is_secret(argument) for argument in get_args(annotation))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _misfit(node: Node, member: Any) -> int:
    """How little a node is like a member of a union: the fixed words of a block (`type: latency`) it does not say."""
    if not _is_model(member):
        if isinstance(node, Sequence):
            return int(member in (bool, int, float, str))
        return int(member is int and isinstance(node, Scalar) and isinstance(node.value, float))
    words = {field.alias or name: get_args(field.annotation) for name, field in member.model_fields.items()
             if get_origin(field.annotation) is Literal}  # fmt: skip
    values = {key: plain(item) for key, item in node.items.items()} if isinstance(node, Mapping) else {}
    return sum(key in values and values[key] not in choices for key, choices in words.items())


def _is_text(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return all(isinstance(choice, str) for choice in get_args(annotation))
    return isinstance(annotation, type) and issubclass(annotation, (str, SecretStr, Pattern))


def _takes_text_of(node: Node, kind: type) -> bool:
    return node.text is not None and issubclass(kind, _TEXT_TYPES)


def _reshapes(model: type[BaseModel]) -> bool:
    """Whether the model reads its input itself, so that its shape is not that of its fields."""
    decorators = model.__pydantic_decorators__
    return any(item.info.mode in ("before", "wrap") for item in decorators.model_validators.values())


def _own_fields(model: type[BaseModel]) -> set[str]:
    """Fields whose validator of the model reads the raw value itself."""
    validators = model.__pydantic_decorators__.field_validators.values()
    return {
        field
        for item in validators
        if item.info.mode in ("before", "wrap", "plain")
        for field in item.info.fields
        if field != "*"
    }
