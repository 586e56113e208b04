"""Tool definitions that stand in the conventions' attribute in another form than JSON text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.documents import Documents, dump, parse_structure
from processors.gen_ai_normalizer.messages.tools import tool_definition


@dataclass(frozen=True, slots=True)
class ConformTools:
    """Brings tool definitions that are arrays or maps into JSON text."""

    target: str

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Rewrite the target where its form is another."""
        value = attributes[self.target]
        if isinstance(value, str):
            return
        listed = value if isinstance(value, list) else [value]
        if listed and all(isinstance(entry, dict | str) for entry in listed):
            structures = [parse_structure(entry) for entry in listed]
            attributes[self.target] = dump([tool_definition(entry) or entry for entry in structures])
        else:
            tally["unmapped"] += 1
