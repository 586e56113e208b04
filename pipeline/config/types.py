"""Types that configuration models are made of, beside `Duration`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, SecretStr
from pydantic_core import core_schema

from pipeline.config.ids import ComponentId, PipelineId, text_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


ANY_CASE: Final = BeforeValidator(_lower)
"""Marks words whose case does not matter: `Annotated[Literal["info", "warn"], ANY_CASE]`."""


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value


VERSION: Final = BeforeValidator(_as_text)
"""Marks words that YAML reads as numbers where quotes are left out: `Annotated[Literal["1.36", "main"], VERSION]`."""

UNREDACTED = "unredacted"
"""Key of the serialisation context that makes secrets readable (`print-config --mode unredacted`)."""
MASK = "[REDACTED]"

Kind = Literal["receivers", "processors", "exporters", "connectors", "extensions"]


class Secret(SecretStr):
    """Text that never shows in logs, printed configurations or errors; `get_secret_value()` gives it."""

    def _display(self) -> str:
        return MASK if self.get_secret_value() else ""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Take text or a Secret; print the mask unless the context asks otherwise."""
        printer = core_schema.plain_serializer_function_ser_schema(_print_secret, info_arg=True, when_used="json")
        return text_schema(cls, cls, serialization=printer)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A string, shown as a password by editors."""
        return {"type": "string", "format": "password"}


def _print_secret(value: Secret, info: core_schema.SerializationInfo[Any]) -> str:
    if info.context and info.context.get(UNREDACTED):
        return value.get_secret_value()
    return str(value)


class Pattern:
    r"""An RE2 regular expression of the configuration, with RE2's meaning of `$`, `\d` and `\w`.

    Compiled once; use `pattern.regex` (a `re2` pattern object) in the hot path.
    """

    def __init__(self, source: str) -> None:
        """Compile the expression.

        Raises:
            ValueError: RE2 does not take it; the message has RE2's reason.
        """
        self.source = source
        _ = self.regex

    @cached_property
    def regex(self) -> Any:
        """The compiled expression of `re2`, the Python binding of Google's library."""
        import re2  # noqa: PLC0415 - a C library that most configurations do not need

        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(self.source, options)
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
            raise ValueError(f"not a regular expression of RE2: {reason}") from error

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"

    def __str__(self) -> str:
        return self.source

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Take text or a Pattern; print the text."""
        return text_schema(cls, cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """A string that editors check as a regular expression."""
        return {"type": "string", "format": "regex"}


@dataclass(frozen=True, slots=True)
class Reference:
    """Marks an id that must name something configured: a component of `kind`, or a pipeline."""

    kind: Kind | Literal["pipelines"]


ExtensionRef = Annotated[ComponentId, Reference("extensions")]
"""The id of an extension that must stand under `service::extensions` (storage, authenticators)."""
ExporterRef = Annotated[ComponentId, Reference("exporters")]
"""The id of a configured exporter (dead letters)."""
PipelineRef = Annotated[PipelineId, Reference("pipelines")]
"""The id of a configured pipeline (routing)."""
