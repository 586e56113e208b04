"""Configuration of the processor `adversarial`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey
from processors.adversarial.parts import READ

Action = Literal["annotate", "drop_content"]
Alarm = Literal["suspect", "attack"]
OriginName = Literal["user", "system", "assistant", "tool_call", "tool", "document", "other"]

ALL_ORIGINS: Final[tuple[OriginName, ...]] = (
    "user",
    "system",
    "assistant",
    "tool_call",
    "tool",
    "document",
    "other",
)


class ThresholdsConfig(ConfigModel):
    """Scores from which on a text is called something."""

    suspect: float = Field(
        0.5, gt=0, le=1, description="Score of a `suspect`: at 0.5, 1 % of harmless texts are called so."
    )
    attack: float = Field(
        0.9, gt=0, le=1, description="Score of an `attack`: at 0.9, 0.1 % of harmless texts are called so."
    )

    @model_validator(mode="after")
    def _in_order(self) -> ThresholdsConfig:
        if self.suspect > self.attack:
            raise InvalidKey(f"must not be above `attack` ({self.attack})", "suspect")
        return self


class AttributeConfig(ConfigModel):
    """An attribute that holds text."""

    key: str = Field(min_length=1, description="The attribute.")
    origin: OriginName = Field("other", description="Who its text comes from.")


class CacheConfig(ConfigModel):
    """Verdicts on texts that were seen before; no text is kept, only a hash of it."""

    max_entries: int = Field(20_000, ge=0, description="Most texts that are remembered; 0: none.")
    max_bytes: int = Field(8 << 20, ge=0, description="Most memory for them, in bytes.")


class FollowingConfig(ConfigModel):
    """Traces with a suspect tool result or document in them, of which tool calls are watched for what it asked."""

    max_traces: int = Field(2_000, ge=0, description="Most traces that are watched; 0: only within one record.")
    max_age: Duration = Field(300.0, gt=0, description="How long a trace is watched.")


class AdversarialConfig(ConfigModel):
    """What is scored, and what becomes of a record with an alarm."""

    action: Action = Field(
        "annotate",
        description="`annotate`: write attributes and events, remove nothing. `drop_content`: also replace every copy "
        "of the text in the record, and in records of the same trace that come with it.",
    )
    drop_at: Alarm = Field("attack", description="From which label on `drop_content` replaces a text.")
    shadow: bool = Field(
        False, description="Count and mark what `drop_content` would do, whatever `action` says; replace nothing."
    )
    thresholds: ThresholdsConfig = Field(
        default_factory=ThresholdsConfig, description="Other thresholds than the calibrated ones."
    )
    origins: tuple[OriginName, ...] = Field(
        ALL_ORIGINS, min_length=1, description="Whose texts are scored; others pass unread."
    )
    attributes: tuple[str | AttributeConfig, ...] = Field(
        (), description="Attributes to score beside those of the conventions: keys, or `{key, origin}`."
    )
    max_part_characters: int = Field(
        32 << 10,
        ge=4 << 10,
        le=1 << 20,
        description="Of a longer text only so much is read: half of it from the beginning, a quarter from the end, a "
        "quarter from places between.",
    )
    cache: CacheConfig = Field(default_factory=CacheConfig, description="Memory of texts seen before.")
    following: FollowingConfig = Field(
        default_factory=FollowingConfig, description="Memory of suspect tool results and documents."
    )
    events: bool = Field(
        True, description="Whether spans get an event `gen_ai.evaluation.result` for each text that does not pass."
    )

    @property
    def drops(self) -> bool:
        """Whether contents are dropped, or would be."""
        return self.shadow or self.action == "drop_content"

    def named_attributes(self) -> dict[str, OriginName]:
        """The attributes to score beside those of the conventions, with their origins."""
        named = [AttributeConfig(key=entry) if isinstance(entry, str) else entry for entry in self.attributes]
        return {entry.key: entry.origin for entry in named}

    @model_validator(mode="after")
    def _is_consistent(self) -> AdversarialConfig:
        if self.drop_at != "attack" and not self.drops:
            raise InvalidKey("has no effect unless action is drop_content, or shadow is true", "drop_at")
        keys = [entry if isinstance(entry, str) else entry.key for entry in self.attributes]
        for index, key in enumerate(keys):
            if not key:
                raise InvalidKey("must name an attribute", "attributes", index)
            if key in keys[:index]:
                raise InvalidKey(f"{key} is listed before", "attributes", index)
            if key in READ:
                raise InvalidKey(
                    f"{key} is read anyway, each text with its own origin; leave it out", "attributes", index
                )
        return self
