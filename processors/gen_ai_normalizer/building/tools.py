"""Tool definitions that stand in the conventions' attribute in another form than JSON text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.messages.tools import tool_definition
from processors.gen_ai_normalizer.reading.documents import Documents, differ
from processors.gen_ai_normalizer.reading.json_text import dump, parse_structure

_NESTED: Final = ('"function":{', '"function": {')
"""Definitions in OpenAI's form, which have everything below `function`."""


@dataclass(frozen=True, slots=True)
class ConformTools:
    """Brings tool definitions that are arrays or maps into JSON text."""

    target: str

    def fits(self, value: Any) -> bool:
        """Whether a value looks like definitions in the conventions' form."""
        is_list = type(value) is str and value[:1] == "[" and '"name":' in value
        return is_list and not any(mark in value for mark in _NESTED)

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Rewrite the target where its form is another."""
        value = attributes[self.target]
        if self.fits(value):
            return
        read = parse_structure(value)
        if isinstance(read, str):
            return
        listed = read if isinstance(read, list) else [read]
        if listed and all(isinstance(entry, dict | str) for entry in listed):
            structures = [parse_structure(entry) for entry in listed]
            found = [tool_definition(entry) or entry for entry in structures]
            if differ(found, read) or not isinstance(value, str):
                attributes[self.target] = dump(found)
        else:
            tally["unmapped"] += 1
