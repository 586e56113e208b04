"""Results of evaluations and users' feedback: counted with the labels of the call they are about.

Sources: OpenTelemetry GenAI conventions, event `gen_ai.evaluation.result`, as a log record or as a span event; the same
attributes on a span of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any, Final, NamedTuple

from pipeline.clock import Clock
from pipeline.signals import LogRecord, Span, Value
from processors.gen_ai_metrics.bundles import Heaps, Place, Said, label_of
from processors.gen_ai_metrics.catalog import Catalog
from processors.gen_ai_metrics.config import JoinsConfig
from processors.gen_ai_metrics.facts import Get
from processors.gen_ai_metrics.joins import Calls, JoinKey, Result, Seen, Waiting, add_seen, keys_of, response_id
from processors.gen_ai_metrics.twice import Source, Twice
from processors.marks import ADVERSARIAL_INPUT

EVENT: Final = "gen_ai.evaluation.result"
NAME: Final = "gen_ai.evaluation.name"
SCORE: Final = "gen_ai.evaluation.score.value"
LABEL: Final = "gen_ai.evaluation.score.label"
_RESPONSE: Final = "gen_ai.response.id"
_KIND: Final = "evaluation"
_WAITING_SHARE: Final = 8
"""This part of the memory is for results that wait."""
_MOST_LINKS: Final = 8
_OWN: Final = frozenset({NAME, LABEL})


class About(NamedTuple):
    """What a result may be about, the likeliest first; `own`: what another report of it would name, too."""

    source: Source
    own: Sequence[JoinKey]
    around: Sequence[JoinKey]


class Evaluations:
    """Takes results, and calls that they may be about."""

    def __init__(self, catalog: Catalog, heaps: Heaps, calls: Calls, config: JoinsConfig, clock: Clock) -> None:
        """`calls`: the memory of calls."""
        self._family = catalog.families[_KIND]
        self._heaps = heaps
        self._calls = calls
        self._config = config
        self._clock = clock
        self._waiting = Waiting(max_bytes=config.max_bytes // _WAITING_SHARE)
        self._most_bytes = config.max_bytes - config.max_bytes // _WAITING_SHARE
        self._twice = Twice(clock.monotonic())
        self._new: list[Result] = []
        self._logged: list[tuple[str, Said]] = []
        self._made = 0

    def begin(self, now_s: float) -> None:
        """A request begins."""
        self._calls.forget(now_s, max_bytes=self._most_bytes, remember_s=self._config.remember)
        self._twice.forget(now_s, remember_s=self._config.remember)
        self._give_up(now_s)

    def give_up(self) -> None:
        """Count what has waited for long enough."""
        self._give_up(self._clock.monotonic())

    def give_all_up(self) -> None:
        """Count all that waits."""
        self._give_up(inf)

    def _give_up(self, now_s: float) -> None:
        for result in self._waiting.due(now_s):
            self._put(result, {})

    def of_span(self, span: Span, place: Place, get: Get) -> None:
        """Take the results that a span says, in its events or, where none is there, in its attributes."""
        is_told = any(event.name == EVENT for event in span.pb.events)
        results = [event for event in span.events if event.name == EVENT] if is_told else []
        is_own = False
        if get(NAME) is not None and not (get(SCORE) is None and get(LABEL) is None):
            # What was found in the texts of a span that judges is not what it judged.
            is_own = all(event.attributes.get(NAME) == ADVERSARIAL_INPUT for event in results)
        if not results and not is_own:
            return
        pb = span.pb
        around = [*[link.span_id for link in pb.links[:_MOST_LINKS]], pb.parent_span_id]
        of_span = response_id(get(_RESPONSE))
        if is_own:
            self._take(get, {}, place, About(Source.SPAN, keys_of(of_span, pb.span_id), around))
        for event in results:
            said = event.attributes
            own = keys_of(response_id(said.get(_RESPONSE)), of_span, pb.span_id)
            self._take(get, said, place, About(Source.SPAN, own, around))

    def of_log(self, record: LogRecord, place: Place, get: Get) -> None:
        """Take the result that a log record is, in its attributes or, where they do not say, in its body."""
        said: Mapping[str, Value] = {}
        if get(NAME) is None:
            body = record.body
            if not isinstance(body, dict):
                return
            said = body
        responses = keys_of(response_id(get(_RESPONSE)), response_id(said.get(_RESPONSE)))
        # The span of a log record with a response is that of whoever judged it.
        own, around = (responses, (record.span_id,)) if responses else (keys_of(record.span_id), ())
        self._take(get, said, place, About(Source.LOG, own, around))

    def _take(self, get: Get, said: Mapping[str, Value], place: Place, about: About) -> None:
        def read(name: str) -> Value:
            value = said.get(name)
            return get(name) if value is None else value

        name, score, label = map(label_of, map(read, (NAME, SCORE, LABEL)))
        if not isinstance(name, str) or score is label is None:
            return
        if not self._twice.is_known(about.source, about.own, (name, score, label)):
            # What waits is small, whatever stands in the place of a number.
            own = zip(self._family.keys, map(label_of, self._family.key(read)), strict=True)
            labels = self._heaps.said(place, own)
            row = (*[label_of(read(name)) for name in self._family.columns], None)
            self._new.append(Result(keys_of(*about.own, *about.around), place, labels, row))

    def logged(self, response: str | None, said: Said) -> None:
        """A log record told of a call."""
        if response is not None:
            self._logged.append((response, said))

    def end(self, seen: Seen) -> None:
        """A request ends: what it had that results may be about."""
        for response, said in self._logged:
            add_seen(seen, b"", response, said)
        self._logged.clear()
        if seen[0]:
            made, self._made = self._heaps.made - self._made, self._heaps.made
            self._calls.remember(seen, made)
        for result, labels in self._waiting.take(seen):
            self._put(result, labels)
        if self._new:
            self._settle_new()

    def _settle_new(self) -> None:
        until_s = self._clock.monotonic() + self._config.wait
        for result in self._new:
            labels = self._calls.find(result.keys)
            if labels is None and result.keys and self._config.wait:
                self._waiting.add(result, until_s)
            else:
                self._put(result, labels or {})
        self._new.clear()
        self.give_up()

    def _put(self, result: Result, labels: Said) -> None:
        """Count a result: what is known of the call goes before what the record says by itself."""
        own = result.said
        key = tuple(self._values(labels, own))
        self._heaps.put(self._heaps.bundle(result.place, _KIND, key), result.row)

    def _values(self, labels: Said, own: Said) -> Iterator[Any]:
        for name in self._family.keys:
            value = None if name in _OWN else labels.get(name)
            yield own.get(name) if value is None else value
