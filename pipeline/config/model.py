"""The base of every configuration model, and what a model says about keys that pydantic has no word for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

_REFUSED = "refused"


class RefusedKey(ValueError):  # noqa: N818 - named for what it points at
    """A key of the Collector that Penstock cannot honour is set."""


class ConfigModel(BaseModel):
    """Base of every component's `Config` and of every block inside it.

    Immutable; unknown keys are errors. What stands in YAML is checked as the Collector does (no weak typing); in
    Python, construct it with plain values: `Config(timeout=5.0)`.

    A field typed `Block | None = None` is an optional block: absent it is off, present it is on, even when empty. A
    block whose empty form means nothing sets `null_is_absent = True` (the Collector's `tls:` and `auth:`).
    One whose keys are those of another, and described there, sets `is_repetition = True`: pages do not list them again.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        defer_build=True,
        validate_default=False,
        arbitrary_types_allowed=False,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    null_is_absent: ClassVar[bool] = False
    is_repetition: ClassVar[bool] = False

    def unprinted_keys(self) -> frozenset[str]:
        """Keys that the effective configuration leaves out, because their mere presence would mean something else."""
        return frozenset()

    @field_validator("*", mode="before")
    @classmethod
    def _refuse(cls, value: Any, info: ValidationInfo) -> Any:
        extra: Any = cls.model_fields[info.field_name or ""].json_schema_extra
        if value is None or not isinstance(extra, dict) or _REFUSED not in extra or value in extra["accepted"]:
            return value
        if extra["while_off"] and _is_off(value):
            return value
        raise RefusedKey(f"not supported: {extra[_REFUSED]}")


def _is_off(block: Any) -> bool:
    """Whether nothing in a block is turned on: no `enabled: true` in it or in the blocks inside."""
    if not isinstance(block, Mapping) or block.get("enabled", False) is not False:
        return False
    return all(_is_off(item) for item in block.values() if isinstance(item, Mapping))


def refused(reason: str, *, accept: tuple[Any, ...] = (), default: Any = None, while_off: bool = False) -> Any:
    """Declare a Collector key that Penstock cannot honour: setting it is an error with position and reason.

    Args:
        reason: why it cannot be honoured, and what to do instead.
        accept: values that ask for no more than what Penstock does anyway; with these, or null, the key is no error.
        default: what the field holds when the key is absent.
        while_off: whether a block is accepted as long as nothing in it is enabled.
    """
    return Field(
        default=default,
        description=f"Refused: {reason}",
        json_schema_extra={_REFUSED: reason, "accepted": list(accept), "while_off": while_off},
    )


def refusal_of(model: type[BaseModel], field: str) -> str | None:
    """The reason why a key is refused, None for a key that is honoured."""
    extra = model.model_fields[field].json_schema_extra
    reason = extra.get(_REFUSED) if isinstance(extra, dict) else None
    return str(reason) if reason is not None else None


class InvalidKey(ValueError):  # noqa: N818 - named for what it points at
    """Raised in a model's validator to point at a key below the model.

    Args:
        message: what is wrong and what to do.
        path: the keys from the model down, e.g. `"sending_queue", "queue_size"`.
    """

    def __init__(self, message: str, *path: str | int) -> None:
        """Keep the path; the loader turns it into a file, line and column."""
        super().__init__(message)
        self.path = path
