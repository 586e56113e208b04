"""The component: writes the times of each call's record."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from pydantic import Field

from pipeline.component import Host, Processor
from pipeline.config import ConfigModel
from pipeline.signals import Batch, LogRecord, Signal, Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.chunks import Arrivals, ChunkEvents
from processors.gen_ai_latency.doubts import Doubt
from processors.gen_ai_latency.facts import load_facts
from processors.gen_ai_latency.memory import memory_of
from processors.gen_ai_latency.plans import Plans
from processors.gen_ai_latency.quick import Quick
from processors.gen_ai_latency.rates import ERROR, FAILED, FINISH, Rates, per_second, tokens_of
from processors.gen_ai_latency.reading import Reading, Refused, Subject
from processors.gen_ai_latency.targets import SOURCE, TOKENS_PER_S, TPOT, TTFT
from processors.gen_ai_latency.units import seconds
from processors.marks import ROLE


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
    behind: ClassVar[frozenset[str]] = frozenset({"gen_ai_normalizer"})
    Config = GenAiLatencyConfig

    def __init__(self, config: GenAiLatencyConfig, host: Host) -> None:
        """Load the facts."""
        super().__init__(config, host)
        self._facts = facts = load_facts()
        self._keys = facts.keys
        self._plans = Plans(facts)
        self._chunk_records = {record.name: record.partial for record in facts.chunk_records}
        self._chunk_events = ChunkEvents(facts.chunks)
        self._refused: Refused = Counter()
        self._quick = Quick(facts)
        self._reading = Reading(facts, self._refused)
        self._rates = Rates(facts, self._reading, self._refused)
        self._memory = memory_of(host, int(config.memory_mib * (1 << 20)))

    def process(self, batch: Batch) -> Batch:
        """Write the times of the records of a batch."""
        self._memory.forget(self.host.clock.monotonic())
        if batch.signal is Signal.LOGS:
            self._logs(batch)
        else:
            self._spans(batch)
        if self._refused:
            self._count_refused()
        return batch

    def _count_refused(self) -> None:
        for reason, count in self._refused.items():
            self.host.meter.counter(
                "penstock_latency_refused", "Times that cannot be true, by reason.", reason=reason
            ).inc(count)
        self._refused.clear()

    def _spans(self, batch: Batch) -> None:
        have_none, write, chunks = self._keys.isdisjoint, self._quick.write, self._chunk_events.arrivals
        told = self._told if self._memory else None
        span: Any
        for span in batch.records():
            attributes = span.attributes
            pb = span.pb
            arrivals = None
            if not span.no_events and (events := pb.events):
                arrivals = chunks(span, events)
            if arrivals is None and told is not None:
                arrivals = told(pb)
            if arrivals is None and TTFT not in attributes and have_none(attributes):
                continue
            if write(span, pb, attributes, arrivals):
                continue
            # The second report of a call may know what the first did not; what sums up calls has no first token.
            if SOURCE not in attributes and attributes.get(ROLE) != "aggregate":
                self._span(span, attributes, arrivals)

    def _span(self, span: Span, attributes: Attributes, arrivals: Arrivals | None) -> None:
        pb = span.pb
        start_ns, end_ns = pb.start_time_unix_nano, pb.end_time_unix_nano
        keys = self._keys.intersection(attributes)
        if end_ns < start_ns:
            if keys:
                self._refused[Doubt.ENDS_BEFORE_START] += 1
                attributes.pop(TTFT)
            return
        is_cut = ERROR in attributes or (FINISH not in attributes and pb.status.code == FAILED)
        duration_s = (end_ns - start_ns) / 1e9
        plan = self._plans[keys, span.scope.name]
        self._write(Subject(span, attributes, plan, start_ns, end_ns, duration_s, arrivals, is_cut))

    def _told(self, pb: Any) -> Arrivals | None:
        """Chunks of a span that log records told of; partial answers count where there are several."""
        found = self._memory.find(pb.trace_id, pb.span_id)
        if found is None:
            return None
        is_one = found.first_ns == found.last_ns
        return None if is_one and self._chunk_records.get(found.name.removeprefix("log ")) else found

    def _logs(self, batch: Batch) -> None:
        keys, timed, chunks = self._keys, self._facts.timed_records, self._chunk_records
        record: Any
        for record in batch.records():
            attributes = record.attributes
            name: Any = attributes.get("event.name") or attributes.get("event_name") or record.pb.event_name
            if name.__class__ is not str:
                name = ""
            tells = name in timed or not keys.isdisjoint(attributes)
            if tells and SOURCE not in attributes and attributes.get(ROLE) != "aggregate":
                self._log(record, attributes)
            if name in chunks:
                self._remember(record, attributes, name)

    def _log(self, record: LogRecord, attributes: Attributes) -> None:
        totals = self._facts.durations
        found = (seconds(attributes.get(total.attribute), total.unit, 0, None) for total in totals)
        duration_s = next((value_s for value_s in found if value_s is not None and value_s > 0), None)
        plan = self._plans[self._facts.log_keys.intersection(attributes), record.scope.name]
        self._write(Subject(record, attributes, plan, 0, 0, duration_s, None, ERROR in attributes))

    def _remember(self, record: LogRecord, attributes: Attributes, name: str) -> None:
        if self._chunk_records[name] and _says_why_it_ended(record, attributes):
            return
        pb = record.pb
        time_ns = pb.time_unix_nano or pb.observed_time_unix_nano
        self._memory.add(pb.trace_id, pb.span_id, name, time_ns, self.host.clock.monotonic())

    def _write(self, subject: Subject) -> None:
        attributes, plan = subject.attributes, subject.plan
        measured: dict[str, Any] = self._server(subject) if plan.server else {}
        first = self._reading.first_token(subject)
        if first is not None:
            measured[TTFT], measured[SOURCE], _ = first
        elif TTFT in attributes:
            del attributes[TTFT]
        tokens = 0 if subject.is_cut else tokens_of(attributes)
        if TPOT not in measured and (per_token_s := self._rates.per_token(subject, first, tokens)) is not None:
            measured[TPOT] = per_token_s
        if (rate := per_second(subject, first, tokens)) is not None:
            measured[TOKENS_PER_S] = rate
        if not measured:
            return
        if attributes.keys().isdisjoint(measured):
            attributes.add(measured)
        else:
            attributes.update(measured)

    def _server(self, subject: Subject) -> dict[str, Any]:
        """What was measured where the model runs, by the attribute to write."""
        measured: dict[str, Any] = {}
        for target, entries in subject.plan.server:
            found = (self._reading.of_attribute(subject, entry) for entry in entries)
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
