"""Names of components and pipelines as they stand in a configuration: `type` or `type/name`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler

# Both rules are the Collector's: component/identifiable.go.
T = TypeVar("T")

_TYPE = re.compile(r"[a-zA-Z][0-9a-zA-Z_]{0,62}")
_NAME_MAX_CHARS = 1024
_FORBIDDEN_CATEGORIES = ("Z", "C", "S")

PIPELINE_SIGNALS = ("traces", "metrics", "logs")


@dataclass(frozen=True, slots=True, order=True)
class ComponentId:
    """A component's id. `str(id)` is the spelling of the file: `otlp` or `otlp/backup`."""

    type: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `type` or `type/name`; blanks around each part are trimmed.

        Raises:
            ValueError: the text is no id; the message says which part and why.
        """
        kind, name = _parts(text)
        if not _TYPE.fullmatch(kind):
            raise ValueError(
                f'in "{text}" id: invalid character(s) in type "{kind}": '
                "letters, digits and _ are allowed, a letter first, 63 characters at most"
            )
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.type}/{self.name}" if self.name else self.type

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let models hold ids: text is parsed, an id passes, JSON gets the text back."""
        return text_schema(cls, cls.parse)


@dataclass(frozen=True, slots=True, order=True)
class PipelineId:
    """A pipeline's id: the signal it carries and an optional name, e.g. `traces/in`."""

    signal: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `signal` or `signal/name`.

        Raises:
            ValueError: the text is no pipeline id, or its signal is unknown.
        """
        signal, name = _parts(text)
        if signal == "profiles":
            raise ValueError("pipelines of profiles are not supported; use one of traces, metrics, logs")
        if signal not in PIPELINE_SIGNALS:
            raise ValueError(f'unknown pipeline signal: "{signal}"; expected one of {", ".join(PIPELINE_SIGNALS)}')
        return cls(signal, name)

    def __str__(self) -> str:
        return f"{self.signal}/{self.name}" if self.name else self.signal

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let models hold ids: text is parsed, an id passes, JSON gets the text back."""
        return text_schema(cls, cls.parse)


def _parts(text: str) -> tuple[str, str]:
    """Split an id at its first slash.

    Raises:
        ValueError: a part is empty or the name holds a character that ids must not hold.
    """
    kind, slash, name = (part.strip() for part in text.partition("/"))
    if not kind and not slash:
        raise ValueError("id must not be empty")
    if not kind:
        raise ValueError(f'in "{text}" id: the part before / should not be empty')
    if slash and not name:
        raise ValueError(f'in "{text}" id: the part after / should not be empty')
    if len(name) > _NAME_MAX_CHARS or any(unicodedata.category(char)[0] in _FORBIDDEN_CATEGORIES for char in name):
        raise ValueError(
            f'in "{text}" id: invalid character(s) in name "{name}": '
            f"no blanks, control characters or symbols, {_NAME_MAX_CHARS} characters at most"
        )
    return kind, name


def text_schema(
    cls: type[T], parse: Callable[[str], T], serialization: core_schema.SerSchema | None = None
) -> core_schema.CoreSchema:
    """The pydantic schema of a class that YAML writes as text: text is parsed, an instance passes."""

    def read(value: object) -> T:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise ValueError(f"expected text, got {type(value).__name__}")  # noqa: TRY004 - pydantic collects ValueError
        return parse(value)

    return core_schema.json_or_python_schema(
        json_schema=core_schema.no_info_after_validator_function(parse, core_schema.str_schema()),
        python_schema=core_schema.no_info_plain_validator_function(read),
        serialization=serialization or core_schema.to_string_ser_schema(),
    )
