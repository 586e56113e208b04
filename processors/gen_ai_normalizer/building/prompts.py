"""Variables of prompt templates, as `gen_ai.prompt.variable.<name>`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.reading.documents import Documents, Source
from processors.gen_ai_normalizer.reading.json_text import dump

VARIABLE: Final = "gen_ai.prompt.variable."
_MOST: Final = 128
"""Variables of one template; more is no template but data."""
_LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class BuildVariables:
    """Fills the variables of a prompt template, each under its name."""

    texts: tuple[Source, ...]
    """Places of JSON objects of variables by name."""
    keys: tuple[tuple[str, str], ...]
    """Attributes that are one variable each, with its name."""

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Write the variables that are not there."""
        for key, name in self.keys:
            _write(attributes, name, documents.attributes.get(key))
        for source in self.texts:
            found = documents.read(source)
            if isinstance(found, Mapping):
                for name, value in islice(found.items(), _MOST):
                    _write(attributes, str(name), value)
            elif found:
                tally["unmapped"] += 1


def _write(attributes: Attributes, name: str, value: Any) -> None:
    key = VARIABLE + name
    if name and len(name) <= _LONGEST_NAME and value is not None and key not in attributes:
        attributes[key] = value if isinstance(value, str) else dump(value)
