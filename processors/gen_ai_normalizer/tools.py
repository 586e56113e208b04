"""Tool definitions that stand in the conventions' attribute in another form than JSON text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.documents import Documents, dump, parse_structure
from processors.gen_ai_normalizer.messages.tools import tool_definition


@dataclass(frozen=True, slots=True)
class ConformTools:
    """Brings tool definitions that are arrays or maps into JSON text."""

    target: str

    def fits(self, value: Any) -> bool:
        """Whether a value looks like definitions in the conventions' form."""
        return type(value) is str and value[:1] == "[" and '"name":' in value and '"function":{' not in value

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
            if found != read or not isinstance(value, str):
                attributes[self.target] = dump(found)
        else:
            tally["unmapped"] += 1
