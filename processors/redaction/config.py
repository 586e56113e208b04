"""Configuration of the processor `redaction`."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config import ConfigModel, InvalidKey, Pattern, Secret, refused
from processors.redaction.entities import select_entities

HashFunction = Literal["", "md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"]

_OWN_KEYS: Final = {"entities", "max_value_bytes", "max_value_hits"}
_MIN_KEY_BYTES: Final = {"hmac-sha256": 32, "hmac-sha512": 64}


class RedactionConfig(ConfigModel):
    """What is taken out, in one of two languages: entity types, or the Collector's keys.

    Without any key the default policy holds. With only Collector keys the processor does what the Collector's does.
    With both, the Collector's rules are applied first.
    """

    entities: str | tuple[str, ...] | None = Field(
        None,
        description="Entity types to redact: `all`, `default`, or a list of types, `-TYPE` taking one out.",
        examples=["all", ["default", "IP_ADDRESS"], ["all", "-PHONE"]],
    )
    max_value_bytes: int = Field(
        16 << 20, ge=1, description="A larger value with a candidate in it becomes `<REDACTED>`."
    )
    max_value_hits: int = Field(200_000, ge=1, description="A value with more candidates becomes `<REDACTED>`.")

    allow_all_keys: bool = Field(False, description="Keep attributes whatever their key; else `allowed_keys` decides.")
    allowed_keys: tuple[str, ...] = Field((), description="Attribute keys that are kept; all others are deleted.")
    ignored_keys: tuple[str, ...] = Field((), description="Attribute keys that pass untouched.")
    ignored_key_patterns: tuple[Pattern, ...] = Field((), description="RE2 expressions for `ignored_keys`.")
    blocked_key_patterns: tuple[Pattern, ...] = Field((), description="Keys (RE2) whose whole value is masked.")
    blocked_values: tuple[Pattern, ...] = Field((), description="RE2 expressions; each match in a value is masked.")
    allowed_values: tuple[Pattern, ...] = Field((), description="RE2 expressions; a value with a match is left alone.")
    redact_all_types: bool = Field(False, description="Look at values other than strings too, as their text.")
    hash_function: HashFunction = Field("", description="Put the hex digest of the match in its place, not `****`.")
    hmac_key: Secret | None = Field(None, description="Key of the hmac functions; at least as long as their digest.")
    summary: str = Field("", description="Attributes about what was done: `info` counts, `debug` names, else none.")
    url_sanitizer: Any = refused(
        "the Collector classifies path segments with a trained model that exists for Go only; "
        "mask variable segments with blocked_values",
        while_off=True,
    )
    db_sanitizer: Any = refused(
        "the Collector uses a query obfuscator that exists for Go only; mask literals with blocked_values",
        while_off=True,
    )

    @property
    def has_collector_keys(self) -> bool:
        """Whether a key of the Collector is set."""
        return bool(self.model_fields_set - _OWN_KEYS)

    @property
    def entity_types(self) -> frozenset[str]:
        """The entity types to redact; empty where only the Collector's rules hold."""
        if self.entities is None:
            return frozenset() if self.has_collector_keys else select_entities("default")
        return select_entities(self.entities)

    @field_validator("hash_function", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("entities")
    @classmethod
    def _known_types(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if value is not None:
            select_entities(value)
        return value

    @model_validator(mode="after")
    def _is_consistent(self) -> RedactionConfig:
        needed = _MIN_KEY_BYTES.get(self.hash_function, 0)
        size = len(self.hmac_key.get_secret_value().encode()) if self.hmac_key else 0
        if size < needed:
            raise InvalidKey(f"{self.hash_function} needs a key of at least {needed} bytes", "hmac_key")
        if self.entities is not None and self.has_collector_keys and not (self.allow_all_keys or self.allowed_keys):
            raise InvalidKey(
                "beside the Collector's keys say which attributes are kept: allow_all_keys: true, or allowed_keys",
                "entities",
            )
        return self
