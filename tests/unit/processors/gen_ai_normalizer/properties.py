"""What tests of properties share: options, recordings, random records, and one normaliser for each set of options."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipeline.component import Host
from pipeline.signals import Batch, Signal, Span
from pipeline.testing import START_NS, configured, make_host, traces
from processors.demo.recordings import Recording, load
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.building.events import message_events
from tests.unit.processors.gen_ai_normalizer.test_hostile import VALUES

OPTIONS: Final[list[dict[str, Any]]] = [
    {"profile": profile, "dual_write": dual_write, "originals": originals, "aggregates": aggregates}
    for profile, dual_write, originals, aggregates in itertools.product(
        ["1.36", "1.41", "main"],
        [False, True, ["1.36"]],
        ["keep", "drop", "move"],
        ["never", "when_no_leaf_seen"],
    )
]
EVENT_NAMES: Final = (*sorted(message_events().names), "exception", "db.query.result")
FIELDS: Final = st.sampled_from([*message_events().fields, *message_events().whole, "gen_ai.input.messages", "x"])
EVENTS: Final = st.lists(
    st.tuples(st.sampled_from(EVENT_NAMES), st.dictionaries(FIELDS, VALUES, max_size=4)), max_size=4
)
QUIET: Final = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Events = list[tuple[str, dict[str, Any]]]


@cache
def recordings() -> dict[str, list[Recording]]:
    """The recordings of each dialect."""
    found: dict[str, list[Recording]] = {}
    for recording in load():
        found.setdefault(recording.dialect, []).append(recording)
    return found


def batches(recording: Recording) -> Iterator[Batch]:
    """The traces and logs of a recording."""
    for export in recording.exports():
        if export.signal != Signal.METRICS.value:
            yield Batch.of_message(export.message(), Signal(export.signal))


def with_events(span: dict[str, Any], events: Events, scope: str) -> Batch:
    """A batch of one span with these events."""
    batch = traces(span, scope=scope)
    (record,) = batch.records()
    assert isinstance(record, Span)
    for name, attributes in events:
        record.add_event(name, START_NS, attributes)
    return again(batch)


def again(batch: Batch) -> Batch:
    """The batch as the next one down the line sees it."""
    return Batch.of_message(batch.signal.request_class.FromString(batch.serialize()), batch.signal)


def normalizer(options: dict[str, Any]) -> tuple[GenAiNormalizer, Host]:
    """One for each combination of options: to make one is dear, and it may have seen anything before."""
    return _normalizer(json.dumps(options))


@cache
def _normalizer(options: str) -> tuple[GenAiNormalizer, Host]:
    host = make_host("gen_ai_normalizer")
    config: dict[str, Any] = json.loads(options)
    return configured(GenAiNormalizer, host, **config), host
