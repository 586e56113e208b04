"""Blocks of the configuration that choose: what is looked for, what becomes of it, and where that holds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from pipeline.config import ConfigModel, InvalidKey, Pattern, PipelineRef
from processors.redaction.knowledge.treatment import Action

Signal = Literal["traces", "logs", "metrics"]
Role = Literal["system", "user", "assistant", "tool"]
Place = Literal[
    "span",
    "span.name",
    "span.status",
    "span.trace_state",
    "event",
    "event.name",
    "link",
    "link.trace_state",
    "log",
    "log.body",
    "log.event_name",
    "log.severity_text",
    "point",
    "exemplar",
    "metric.name",
    "metric.description",
    "metric.unit",
    "metric.metadata",
    "resource",
    "resource.entity",
    "resource.schema_url",
    "scope",
    "scope.name",
    "scope.version",
    "scope.schema_url",
]
"""Where text stands. `span`, `event`, `link`, `log`, `point`, `exemplar`, `resource`, `scope`: attributes of these."""

FULL_WIDTH: Final = ("\uff01", "\uff5e")
"""The first and the last of the full-width forms of ASCII (Unicode, Halfwidth and Fullwidth Forms)."""

_LONGEST_FIXED_TEXT: Final = 100
_TYPE_NAME: Final = re.compile("[A-Z][A-Z0-9_]{1,62}")
_TWO: Final = 2
_QUOTES: Final = frozenset("\"'`\\")


class FixedText(ConfigModel):
    """A text that stands for every masked value."""

    text: str = Field(description="The text; it may not look like something that a rule finds.")

    @field_validator("text")
    @classmethod
    def _fits_everywhere(cls, value: str) -> str:
        if not 1 <= len(value) <= _LONGEST_FIXED_TEXT or not value.isprintable() or set(value) & _QUOTES:
            raise ValueError(
                f"write 1 to {_LONGEST_FIXED_TEXT} printable characters without quotes and backslashes: "
                "the text must fit into JSON and source text"
            )
        return value


class Choice(ConfigModel):
    """What is looked for and what becomes of it."""

    entities: str | tuple[str, ...] | None = Field(
        None,
        description="Entity types to redact: `all`, `default`, or a list of types and groups, `-TYPE` taking one out.",
        examples=["all", ["default", "IP_ADDRESS"], ["all", "-PHONE"]],
    )
    action: Action | None = Field(
        None, description="What becomes of values: `mask` (if not set), `partial`, `hash`, `drop` or `keep`."
    )
    actions: dict[str, Action] = Field(
        default_factory=dict,
        description="The action of single types or groups.",
        examples=[{"EMAIL": "hash", "payment": "partial"}],
    )
    mask: Literal["placeholder", "stars"] | FixedText | None = Field(
        None, description="What `mask` writes: `placeholder` (`<EMAIL>`; if not set), `stars`, or a `text`."
    )

    @field_validator("mask", mode="before")
    @classmethod
    def _is_a_word_or_a_block(cls, value: Any) -> Any:
        """A block is wrong for reasons of its own, not because it is none of the words."""
        if value is None or isinstance(value, str | FixedText):
            return value
        if not isinstance(value, dict) or value.keys() != {"text"} or not isinstance(value["text"], str):
            wrong = [key for key in value if key != "text"] if isinstance(value, dict) else []
            raise InvalidKey("write stars, placeholder, or {text: ...}", *wrong[:1])
        try:
            return FixedText(**value)
        except ValidationError as error:
            raise InvalidKey(error.errors()[0]["msg"].removeprefix("Value error, "), "text") from None


class Match(ConfigModel):
    """Where a policy holds: where everything that is said is true. A list is true where one of its items is."""

    pipelines: tuple[PipelineRef, ...] = Field((), description="Pipelines, by id.")
    signals: tuple[Signal, ...] = Field((), description="Kinds of telemetry in which the policy holds.")
    places: tuple[Place, ...] = Field((), description="Places: `span` (its attributes), `span.name`, `log.body`, ...")
    attributes: tuple[Pattern, ...] = Field((), description="RE2 expressions, found anywhere in an attribute's key.")
    roles: tuple[Role, ...] = Field((), description="Authors of messages.")

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        if not (self.pipelines or self.signals or self.places or self.attributes or self.roles):
            raise ValueError(
                "says no place, so it would hold everywhere: that is what the keys beside policies are for"
            )
        return self


class Policy(Choice):
    """Another choice for some places. What it does not say is as in the top level."""

    match: Match = Field(description="Where it holds.")


class Allowed(ConfigModel):
    """Values that are no secret: the number of the help desk, a test account."""

    values: tuple[str, ...] = Field((), description="Whole values, in any case.")
    patterns: tuple[Pattern, ...] = Field((), description="RE2 expressions that match a whole value.")


def _word(text: str) -> str:
    if not text.strip() or text.strip().startswith("$"):
        raise ValueError("write a word: not empty, and not beginning with $")
    return text.strip()


Word = Annotated[str, AfterValidator(_word)]
"""A context word."""

Reach = Annotated[int, Field(ge=0, le=1000)]
"""Characters beside a match that are looked at."""


class UserRule(ConfigModel):
    """A rule of your own."""

    type: str = Field(
        description="Entity type: a new one in capitals, or one that ships and gets this rule beside its own."
    )
    pattern: Pattern = Field(description="RE2 expression; a group named `value` narrows what is redacted.")
    context: tuple[Word, ...] = Field((), description="Words (any case), one of which must stand near.")
    not_context: tuple[Word, ...] = Field((), description="Words that must not stand right before.")
    near: tuple[Reach, Reach] = Field((48, 16), description="How many characters before and behind the match are near.")
    validator: str | None = Field(None, description="A check that the value must pass, by name; see docs/redaction.md.")
    action: Action | None = Field(None, description="The action of the type, where `actions` does not say.")
    positive: tuple[str, ...] = Field((), description="Texts in which the rule must find something; tried at start.")
    negative: tuple[str, ...] = Field((), description="Texts in which it must find nothing; tried at start.")

    @field_validator("near", mode="before")
    @classmethod
    def _are_two(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != _TWO:
            raise ValueError("write two numbers of characters: [before, behind]")
        return value

    @field_validator("type")
    @classmethod
    def _is_free(cls, value: str) -> str:
        if _TYPE_NAME.fullmatch(value) is None:
            raise ValueError("a type has 2 to 63 capital letters, digits and _, a letter first, as in STAFF_NUMBER")
        if value == "REDACTED":
            raise ValueError("<REDACTED> stands for values that could not be examined; choose another name")
        return value

    @model_validator(mode="after")
    def _works(self) -> UserRule:
        from processors.redaction.treatments.user_rules import UnknownName, build_user_rule, failing_sample  # noqa: PLC0415 - heavy

        try:
            rule = build_user_rule(self)
        except UnknownName as error:
            raise InvalidKey(str(error), "validator") from error
        if any(FULL_WIDTH[0] <= letter <= FULL_WIDTH[1] for letter in self.pattern.source):
            raise InvalidKey("full-width letters and digits are looked at as ASCII: write them as ASCII", "pattern")
        if self.pattern.regex.search("") is not None:
            raise InvalidKey("matches the empty text, so it would match everywhere", "pattern")
        if (failing := failing_sample(rule)) is not None:
            kind, index = failing
            what = "finds nothing in this text" if kind == "positive" else "finds something in this text"
            raise InvalidKey(f"the rule {what}", kind, index)
        return self
