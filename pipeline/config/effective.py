"""The effective configuration: what runs, with every default filled in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pipeline.config.catalog import KINDS
from pipeline.config.describe import blocks
from pipeline.config.model import ConfigModel, refusal_of
from pipeline.config.text import to_yaml, without_password
from pipeline.config.types import UNREDACTED

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from pipeline.config.examination import Examination


def effective(examination: Examination, *, unredacted: bool = False) -> dict[str, Any]:
    """The configuration as plain values, keys as in the file; secrets are masked unless `unredacted`."""
    tree: dict[str, Any] = {
        kind: {str(component.id): dump(component.config, unredacted) for component in components.values()}
        for kind, components in ((kind, examination.components[kind]) for kind in KINDS)
    }
    if examination.service is not None:
        tree["service"] = dump(examination.service, unredacted)
    return tree


def render(tree: dict[str, Any], form: str) -> str:
    """The tree as `yaml` (sorted, as the Collector prints it) or `json`."""
    if form == "json":
        return json.dumps(tree, indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    return to_yaml(tree, sort_keys=True)


def dump(model: BaseModel, unredacted: bool) -> dict[str, Any]:
    """One model as plain values; refused keys, which have no effect, and blocks that are off are left out."""
    data = model.model_dump(mode="json", by_alias=True, context={UNREDACTED: unredacted})
    _prune(model, data)
    shown: dict[str, Any] = data if unredacted else _without_passwords(data)
    return shown


def _without_passwords(data: Any) -> Any:
    """The same values, without passwords in URLs."""
    if isinstance(data, dict):
        return {key: _without_passwords(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_without_passwords(item) for item in data]
    return without_password(data) if isinstance(data, str) else data


def _null_means_on(field: FieldInfo) -> bool:
    """Whether printing null would turn an absent block on when the print is loaded again."""
    return any(not getattr(block, "null_is_absent", False) for _, block in blocks(field.annotation))


def _prune(value: Any, data: Any) -> None:
    if isinstance(value, BaseModel):
        unprinted = value.unprinted_keys() if isinstance(value, ConfigModel) else frozenset()
        for name, field in type(value).model_fields.items():
            key = field.serialization_alias or field.alias or name
            item = getattr(value, name)
            unsaid = name in unprinted or (item is None and _null_means_on(field))
            if unsaid or refusal_of(type(value), name) is not None:
                data.pop(key, None)
            else:
                _prune(item, data.get(key))
    elif isinstance(value, list | tuple) and isinstance(data, list):
        for item, item_data in zip(value, data, strict=True):
            _prune(item, item_data)
    elif isinstance(value, dict) and isinstance(data, dict):
        for item, item_data in zip(value.values(), data.values(), strict=True):
            _prune(item, item_data)
