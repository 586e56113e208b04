"""JSON Schema (2020-12) of a whole configuration file, for editors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from pipeline.config.catalog import KINDS, Catalog
from pipeline.config.describe import descriptions
from pipeline.config.durations import DURATION_FORMAT, format_duration
from pipeline.config.listing import entries
from pipeline.config.model import ConfigModel
from pipeline.config.service import ServiceConfig

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import core_schema

_EXPANSION: Final = {"type": "string", "pattern": r"\$\{[^}]+\}"}


class _Generator(GenerateJsonSchema):
    """Lets an expansion such as `${env:PORT}` stand wherever a number or a boolean may; knows our own types."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        texts = descriptions(model)
        by_key = {field.alias or name: texts.get(name) for name, field in model.model_fields.items()}
        properties = made.get("properties", {})
        made["properties"] = {key: _property(item, by_key.get(key)) for key, item in properties.items()}
        return made

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), _EXPANSION]}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {"anyOf": [super().float_schema(schema), _EXPANSION]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return {"anyOf": [super().bool_schema(schema), _EXPANSION]}


def schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of the file: every section with every installed component."""
    listed = list(entries(catalog))
    models: list[type[ConfigModel]] = list(dict.fromkeys([ServiceConfig, *(entry.cls.Config for entry in listed)]))
    by_model, shared = models_json_schema([(model, "validation") for model in models], schema_generator=_Generator)
    sections: dict[str, Any] = {kind: {} for kind in KINDS}
    for entry in listed:
        body = by_model[entry.cls.Config, "validation"]
        for name in (entry.name, *entry.aliases):
            sections[entry.kind][rf"^\s*{re.escape(name)}\s*(/.+)?$"] = {
                "description": entry.summary,
                "anyOf": [body, {"type": "null"}, _EXPANSION],
            }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Penstock configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {kind: _section(patterns) for kind, patterns in sections.items()}
        | {"service": by_model[ServiceConfig, "validation"]},
        "$defs": shared.get("$defs", {}),
    }


def _section(patterns: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["object", "null"], "patternProperties": patterns, "additionalProperties": False}


def _property(item: dict[str, Any], description: str | None) -> dict[str, Any]:
    """Say in JSON Schema what pydantic has no word for: refused keys, durations as text, docstrings of attributes."""
    if "refused" in item:
        accepted = item["accepted"]
        body: dict[str, Any] = {"enum": [None, *accepted]} if accepted else {"type": "null"}
        if item["while_off"]:
            body = {"type": ["object", "null"]}
        return {"description": item["description"], "deprecated": True} | body
    if description:
        item = item | {"description": description}
    default = item.get("default")
    if item.get("format") == DURATION_FORMAT and isinstance(default, int | float):
        return item | {"default": format_duration(default)}
    return item
