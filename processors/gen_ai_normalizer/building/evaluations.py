"""Results of evaluations and feedback of users, as span events (or a log record's attributes).

Source: OpenTelemetry GenAI conventions, event `gen_ai.evaluation.result`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pipeline.signals import Record, Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.building.retrieval import Listing
from processors.gen_ai_normalizer.knowledge.rules import EvaluationSource
from processors.gen_ai_normalizer.reading.documents import Documents, Source, field_of
from processors.gen_ai_normalizer.reading.values import Reader, read_double, read_text

EVENT: Final = "gen_ai.evaluation.result"
_NAME: Final = "gen_ai.evaluation.name"
_SCORE: Final = "gen_ai.evaluation.score.value"
_LABEL: Final = "gen_ai.evaluation.score.label"
_EXPLANATION: Final = "gen_ai.evaluation.explanation"
_FEEDBACK: Final = "user_feedback"
NAMED_BY: Final = "*"
"""Begins a place that is the attribute which another one names."""
_MOST: Final = 128
"""Results of one record, each of which is compared with those that are there; more are no results but data."""

Result = dict[str, Any]
Get = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class FoundEvaluations:
    """One place where results stand, and what their fields are called there."""

    rule: EvaluationSource
    listed: Listing | None
    """Lists the results; None where the record's own attributes are the fields of one."""

    def gather(self, documents: Documents) -> list[Result]:
        """The results, each under the conventions' names; empty where there are none."""
        if self.listed is None:
            found = [self._result(partial(_read, documents))]
        else:
            found = [self._result(partial(field_of, entry)) for entry in self.listed(documents)]
        return [result for result in found if result]

    def _result(self, get: Get) -> Result | None:
        rule = self.rule
        name = _FEEDBACK if rule.feedback else _first(get, rule.name, read_text)
        said = {
            _SCORE: _first(get, rule.score, _score),
            _LABEL: _first(get, rule.label, _label),
            _EXPLANATION: _first(get, rule.explanation, read_text),
        }
        filled = {key: value for key, value in said.items() if value is not None}
        return {_NAME: name, **filled} if name and filled else None


@dataclass(frozen=True, slots=True)
class BuildEvaluations:
    """Adds a span event for each result that a span says; a log record takes the first into its attributes."""

    places: tuple[FoundEvaluations, ...]

    def run(self, record: Record, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Write the results that are not there."""
        results = [result for place in self.places for result in place.gather(documents)]
        if isinstance(record, Span):
            known = [dict(event.attributes) for event in record.events if event.name == EVENT]
            tally["unmapped"] += len(results[_MOST:])
            for result in results[:_MOST]:
                if not any(result.items() <= said.items() for said in known):
                    record.add_event(EVENT, record.end_time_unix_nano, result)
                    known.append(result)
        elif results:
            for key, value in results[0].items():
                attributes.setdefault(key, value)
            if len(results) > 1:
                tally["unmapped"] += len(results) - 1


def _read(documents: Documents, place: str) -> Any:
    if not place.startswith(NAMED_BY):
        return documents.read(Source.parse(place))
    name = documents.attributes.get(place.removeprefix(NAMED_BY))
    return documents.attributes.get(name) if isinstance(name, str) else None


def _first(get: Get, names: Iterable[str], read: Reader) -> Any:
    for name in names:
        value = read(get(name))
        if value is not None:
            return value
    return None


def _score(value: Any) -> float | None:
    return float(value) if isinstance(value, bool) else read_double(value)


def _label(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return read_text(value)
