"""The component: writes the times of each call's record."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from pydantic import Field

from pipeline.component import Host, Processor
from pipeline.config import ConfigModel
from pipeline.signals import Batch, LogRecord, Signal, Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.chunks import Arrivals, has_chunks
from processors.gen_ai_latency.doubts import Doubt
from processors.gen_ai_latency.facts import load_facts
from processors.gen_ai_latency.memory import memory_of
from processors.gen_ai_latency.quick import Quick
from processors.gen_ai_latency.rates import ERROR, FAILED, FINISH, Rates
from processors.gen_ai_latency.reading import Reading, Refused, Subject
from processors.gen_ai_latency.targets import ROLE, SOURCE, TOKENS_PER_S, TPOT, TTFT
from processors.gen_ai_latency.units import seconds


class GenAiLatencyConfig(ConfigModel):
    """Configuration of `gen_ai_latency`."""

    memory_mib: float = Field(
        default=4.0,
        ge=0,
        le=1024,
        description="Memory in MiB for chunks that come as log records of their own, kept for 5 to 10 minutes for the "
        "span of their call; 4 hold at least 5,000 calls. 0: such records are not read.",
    )


class GenAiLatency(Processor):
    """Writes how long a model call's first token took, and each one after it.

    Reads what instrumentations leave in attributes, span events and log records, in any unit, and writes
    `gen_ai.response.time_to_first_chunk` (s), `penstock.latency.time_per_output_token` (s),
    `penstock.latency.output_tokens_per_second`, the times a server measured, and in `penstock.latency.source` the fact
    that the first of them comes from. Nothing is written where nothing was measured.
    """

    type: ClassVar[str] = "gen_ai_latency"
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.LOGS})
    Config = GenAiLatencyConfig

    def __init__(self, config: GenAiLatencyConfig, host: Host) -> None:
        """Load the facts."""
        super().__init__(config, host)
        self._facts = facts = load_facts()
        self._keys = facts.keys
        self._chunk_records = {record.name: record.partial for record in facts.chunk_records}
        self._quick = Quick(facts)
        self._memory = memory_of(host, int(config.memory_mib * (1 << 20)))

    def process(self, batch: Batch) -> Batch:
        """Write the times of the records of a batch."""
        refused: Refused = Counter()
        self._memory.forget(self.host.clock.monotonic())
        if batch.signal is Signal.LOGS:
            self._logs(batch, refused)
        else:
            self._spans(batch, refused)
        for reason, count in refused.items():
            self.host.meter.counter(
                "penstock_latency_refused", "Times that cannot be true, by reason.", reason=reason
            ).inc(count)
        return batch

    def _spans(self, batch: Batch, refused: Refused) -> None:
        keys, knows, write, chunks = self._keys, self._memory.knows, self._quick.write, self._facts.chunks
        remembers = bool(self._memory)
        span: Any
        for span in batch.records():
            attributes = span.attributes
            pb = span.pb
            events = pb.events
            if not (remembers and knows(pb.trace_id, pb.span_id)):
                if TTFT in attributes:
                    if not events and write(pb, attributes):
                        continue
                elif keys.isdisjoint(attributes) and not (events and has_chunks(events, chunks)):
                    continue
            # The second report of a call may know what the first did not; what sums up calls has no first token.
            if SOURCE not in attributes and attributes.get(ROLE) != "aggregate":
                self._span(span, attributes, refused)

    def _span(self, span: Span, attributes: Attributes, refused: Refused) -> None:
        pb = span.pb
        start_ns, end_ns = pb.start_time_unix_nano, pb.end_time_unix_nano
        if end_ns < start_ns:
            if not self._keys.isdisjoint(attributes):
                refused[Doubt.ENDS_BEFORE_START] += 1
                attributes.pop(TTFT)
            return
        told = self._told(pb) if self._memory else None
        is_cut = ERROR in attributes or (FINISH not in attributes and pb.status.code == FAILED)
        duration_s = (end_ns - start_ns) / 1e9
        events = span if pb.events else None
        subject = Subject(attributes, span.scope.name, pb.name, start_ns, end_ns, duration_s, events, told, is_cut)
        self._write(subject, refused)

    def _told(self, pb: Any) -> Arrivals | None:
        """Chunks of a span that log records told of; partial answers count where there are several."""
        found = self._memory.find(pb.trace_id, pb.span_id)
        if found is None or (self._chunk_records.get(found.name.removeprefix("log ")) and len(found.times_ns) == 1):
            return None
        return found

    def _logs(self, batch: Batch, refused: Refused) -> None:
        keys, timed, chunks = self._keys, self._facts.timed_records, self._chunk_records
        record: Any
        for record in batch.records():
            attributes = record.attributes
            name: Any = attributes.get("event.name") or attributes.get("event_name") or record.pb.event_name
            if name.__class__ is not str:
                name = ""
            tells = name in timed or not keys.isdisjoint(attributes)
            if tells and SOURCE not in attributes and attributes.get(ROLE) != "aggregate":
                self._log(record, attributes, refused)
            if name in chunks:
                self._remember(record, attributes, name)

    def _log(self, record: LogRecord, attributes: Attributes, refused: Refused) -> None:
        found = (
            seconds(attributes.get(total.attribute), total.unit, start_unix_ns=0, duration_s=None)
            for total in self._facts.durations
        )
        duration_s = next((value_s for value_s in found if value_s is not None and value_s > 0), None)
        name = record.pb.event_name
        subject = Subject(attributes, record.scope.name, name, 0, 0, duration_s, None, None, ERROR in attributes)
        self._write(subject, refused)

    def _remember(self, record: LogRecord, attributes: Attributes, name: str) -> None:
        if self._chunk_records[name] and _says_why_it_ended(record, attributes):
            return
        pb = record.pb
        time_ns = pb.time_unix_nano or pb.observed_time_unix_nano
        self._memory.add(pb.trace_id, pb.span_id, name, time_ns, self.host.clock.monotonic())

    def _write(self, subject: Subject, refused: Refused) -> None:
        attributes, facts = subject.attributes, self._facts
        reading = Reading(subject, facts, refused)
        measured: dict[str, Any] = {} if facts.server_keys.isdisjoint(attributes) else self._server(reading)
        first = reading.first_token()
        if first is not None:
            measured[TTFT], measured[SOURCE] = first.value_s, first.source
        elif TTFT in attributes:
            del attributes[TTFT]
        rates = Rates(subject, facts, reading, first, refused)
        if TPOT not in measured and (per_token_s := rates.per_token()) is not None:
            measured[TPOT] = per_token_s
        if (per_second := rates.per_second()) is not None:
            measured[TOKENS_PER_S] = per_second
        if not measured:
            return
        if attributes.keys().isdisjoint(measured):
            attributes.add(measured)
        else:
            attributes.update(measured)

    def _server(self, reading: Reading) -> dict[str, float]:
        """What was measured where the model runs, by the attribute to write."""
        measured: dict[str, float] = {}
        for target, entries in self._facts.server.items():
            found = (reading.of_attribute(fact) for fact in entries)
            server_s = next((value_s for value_s in found if value_s is not None), None)
            if server_s is not None:
                measured[target] = server_s
        return measured


def _says_why_it_ended(record: LogRecord, attributes: Attributes) -> bool:
    """Whether a record of an answer is of a whole one."""
    if attributes.get("gen_ai.response.finish_reasons") or attributes.get("finish_reason"):
        return True
    body = record.body
    if isinstance(body, dict):
        return bool(body.get("finish_reason"))
    return isinstance(body, str) and '"finish_reason"' in body
