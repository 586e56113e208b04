"""Policies as they stand in a list of the configuration: `name`, `type`, and the block under the type's name."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from pydantic import Field, ValidationError, create_model, model_validator

from pipeline.config import ConfigModel, InvalidKey, refused
from pipeline.config.suggest import hint
from processors.tail_sampling.policies import LEAVES
from processors.tail_sampling.policy import Policy, Setting

_NO_OTTL: Final = (
    "conditions need OTTL, which Penstock does not have; use string_attribute, numeric_attribute, boolean_attribute, "
    "latency, span_count or status_code, joined by and, not and drop"
)
_NO_EXTENSIONS: Final = "policies of extensions are not supported: write them as a processor that sets an attribute"
_ALL_TYPES: Final[set[str]] = set()
"""Types that may stand somewhere, filled as models of items are made."""


class Item(ConfigModel):
    """What policies of all types share; `item_model` adds a field for each type.

    Attributes:
        policy_types: the types that may stand here, by name.
    """

    policy_types: ClassVar[dict[str, builtins.type[Policy]]] = {}

    name: str = Field("", description="Name, for metrics and as the rule on kept spans.")
    type: str = Field("", description="Type of the policy; its settings stand under a key of that name.")
    ottl_condition: Any = refused(_NO_OTTL)

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, value: Any) -> Any:
        kind = value.get("type", "") if isinstance(value, Mapping) else None
        if kind == "ottl_condition":
            if value.get(kind) is None:
                raise InvalidKey(f"policy type ottl_condition is not supported: {_NO_OTTL}", "type")
        elif isinstance(kind, str) and kind not in cls.policy_types:
            raise InvalidKey(cls._why_not(kind), "type")
        return value

    @classmethod
    def _why_not(cls, kind: str) -> str:
        known = ", ".join(sorted(cls.policy_types))
        if not kind:
            return f"a policy needs a type: one of {known}"
        if kind in _ALL_TYPES:
            return f"a policy of type {kind} cannot stand inside this one; these can: {known}"
        near = hint(kind, cls.policy_types, all_of="known here are", listed=len(known))
        return f"unknown sampling policy type {kind}{near}" + ("" if near.endswith("?") else f"; {_NO_EXTENSIONS}")

    @model_validator(mode="after")
    def _is_of_its_type(self) -> Item:
        for other in self.model_fields_set & self.policy_types.keys() - {self.type}:
            if getattr(self, other) is not None:
                raise InvalidKey(f"has no effect on a policy of type {self.type}: remove it or change the type", other)
        if self.block is None and not _may_be_left_out(self._model):
            raise InvalidKey(f'policy "{self.name}" of type {self.type} needs its settings under "{self.type}"', "type")
        return self

    @property
    def _model(self) -> builtins.type[ConfigModel]:
        return self.policy_types[self.type].Config

    @property
    def block(self) -> ConfigModel | None:
        """The block under the type's name, None where there is none."""
        block: ConfigModel | None = getattr(self, self.type)
        return block

    def build(self, setting: Setting, name: str = "") -> Policy:
        """The policy that is described here, under its own name or another."""
        block = self.block
        return self.policy_types[self.type](name or self.name, self._model() if block is None else block, setting)


def _may_be_left_out(block: builtins.type[ConfigModel]) -> bool:
    """Whether the defaults of a block are a whole policy."""
    try:
        block()
    except ValidationError:
        return False
    return True


def item_model(
    name: str, doc: str, types: Sequence[type[Policy]], *, is_repetition: bool = True
) -> builtins.type[Item]:
    """The model of an item of a list in which policies of `types` may stand.

    Args:
        name: of the model.
        doc: what such an item is.
        types: of policies.
        is_repetition: whether its keys are described where they stand in the outermost list.
    """
    names = [policy.type for policy in types]
    _ALL_TYPES.update(names)
    kind = Field("", description=Item.model_fields["type"].description, json_schema_extra={"enum": [*names]})
    fields: dict[str, Any] = {"type": (str, kind)} | {
        policy.type: (policy.Config | None, Field(None, description=_summary(policy))) for policy in types
    }
    made = create_model(name, __base__=Item, __doc__=doc, __module__=__name__, **fields)
    made.is_repetition = is_repetition
    made.policy_types = {policy.type: policy for policy in types}
    return made


def named(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Check that all have a name, each its own. Raises InvalidKey."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        if not item.name:
            raise InvalidKey("policy name cannot be empty", index, "name")
        if item.name in seen:
            raise InvalidKey(f'duplicate policy name "{item.name}"', index, "name")
        seen.add(item.name)
    return items


def _summary(policy: type[Policy]) -> str:
    return (policy.__doc__ or "").partition("\n\n")[0].replace("\n    ", " ").strip()


def at_least_one(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Check that there is a policy. Raises ValueError."""
    if not items:
        raise ValueError("name at least one policy")
    return items


if TYPE_CHECKING:
    SubPolicy: TypeAlias = Item
else:
    SubPolicy = item_model("SubPolicy", "A policy inside another.", LEAVES)


def build_all(items: Iterable[Item], setting: Setting, inside: str = "") -> tuple[Policy, ...]:
    """The policies of a list, in its order; those inside another carry its name, `outer/inner`."""
    if not inside:
        return tuple(item.build(setting) for item in items)
    return tuple(item.build(setting, f"{inside}/{item.name or place}") for place, item in enumerate(items))


__all__ = ["Item", "SubPolicy", "at_least_one", "build_all", "item_model", "named"]
