"""The component: scores the texts of each record, and marks it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from pipeline.component import Host, Processor
from pipeline.signals import Batch, Content, Record, Signal
from processors.adversarial.alarms import RANKS, Finding, Scored
from processors.adversarial.config import AdversarialConfig
from processors.adversarial.judging import Judge, Judging, Wanted
from processors.adversarial.lanes import NOT_ALARMING, Known, Lanes
from processors.adversarial.libraries import require_numpy
from processors.adversarial.marking import Marker
from processors.adversarial.parts import Part, PartReader, PartTuple
from processors.adversarial.telemetry import ANNOTATE, DROP, Telemetry
from processors.adversarial.verdict import Label, Origin
from processors.adversarial.watching import Watch
from processors.gen_ai_normalizer.building.events import message_events

if TYPE_CHECKING:
    from processors.adversarial.erasing import Eraser

Rules = tuple[Judge, str]
"""What scores texts, and its version."""


class Adversarial(Processor):
    """Scores the texts of LLM spans and logs for attempts to take control of a model.

    Prompt injection in what users, tools and documents say, jailbreaks, requests for prompts and secrets, template
    tokens, hidden and encoded text, links that carry data away. It writes a score and a label on each record with
    text, an event for each text that does not pass, and where it is told to, takes such texts out. What cannot be
    examined passes, marked. Put it behind `gen_ai_normalizer` and in front of `redaction`.
    """

    type: ClassVar[str] = "adversarial"
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.LOGS})
    behind: ClassVar[frozenset[str]] = frozenset({"gen_ai_normalizer"})
    before: ClassVar[frozenset[str]] = frozenset({"redaction"})
    Config = AdversarialConfig
    config: AdversarialConfig

    def __init__(self, config: AdversarialConfig, host: Host, rules: Rules | None = None) -> None:
        """Load the model, unless other rules are given."""
        super().__init__(config, host)
        judge, version = load_rules(config, host) if rules is None else rules
        self._erases = config.drops and not config.shadow
        # What was found in the first slices of a request, for what comes behind them: erasers by trace.
        self._later: WeakKeyDictionary[Content, dict[bytes, list[Eraser]]] = WeakKeyDictionary()
        self._telemetry = telemetry = Telemetry(host.meter, shadow=config.shadow)
        self._lanes = Lanes(
            map(Origin, config.origins),
            max_entries=config.cache.max_entries,
            max_bytes=config.cache.max_bytes,
            empty=telemetry.skipped("empty"),
            off=telemetry.skipped("origin"),
        )
        named = {key: Origin(origin) for key, origin in config.named_attributes().items()}
        self._reader = PartReader(self._lanes, message_events(), named)
        self._judging = Judging(judge, telemetry, config.max_part_characters)
        self._marker = Marker(events=config.events, version=version, shadow=config.shadow)
        self._watch = Watch(host, config.following)
        self._drop_rank = RANKS[config.drop_at] if config.drops else len(RANKS)

    def process(self, batch: Batch) -> Batch:
        """Score and mark the records of a batch."""
        wanted: list[Wanted] = []
        records = self._read(batch, wanted)
        if wanted:
            self._judging.learn(wanted)
            self._lanes.settle([(lane, key, known) for _, lane, key, known in wanted])
        marked = [scored for scored in records if not self._mark_plain(scored)]
        for scored in marked:
            scored.findings = _findings(scored)
        raised = self._watch.raised(records, marked) if marked or self._watch.active else ()
        alarming = list(dict.fromkeys((*marked, *raised)))
        if alarming:
            self._mark(alarming)
        if (alarming or self._later) and self._erases and batch.records():
            self._drop(batch, alarming)
        self._telemetry.write()
        return batch

    def _read(self, batch: Batch, wanted: list[Wanted]) -> list[Scored]:
        """The records with text in them; what is not known yet is `wanted`."""
        records: list[Scored] = []
        read = self._reader.of_log if batch.signal is Signal.LOGS else self._reader.of_span
        record: Any
        seen = 0
        for record in batch.records():
            try:
                parts = read(record)
            except Exception:  # noqa: BLE001 - whatever a hostile attribute makes us do wrong, the record goes on
                self._telemetry.skipped("error").count += 1
                self._marker.failed(record.attributes)
                continue
            if parts:
                seen += len(parts)
                records.append(Scored(record, parts, self._look_up(parts, wanted)))
        self._telemetry.seen += seen - len(wanted)
        return records

    def _look_up(self, parts: Sequence[PartTuple], wanted: list[Wanted]) -> list[Known]:
        lanes = self._lanes
        found = []
        for text, lane, _ in parts:
            key = hash(text)
            known = lane.young.get(key)
            if known is None:
                known = lanes.find(lane, key)
                if known is None:
                    known = Known(self._telemetry.pending)
                    lanes.put(lane, key, known)
                    wanted.append((text, lane, key, known))
            found.append(known)
        return found

    def _mark_plain(self, scored: Scored) -> bool:
        """Count the texts of a record, and mark it where all of them pass; False where more is to be said."""
        score, is_plain = NOT_ALARMING, True
        for known in scored.known:
            known.series.count += 1
            if known.score > score:  # noqa: PLR1730 - a call costs more than all else here
                score = known.score
            if not known.is_plain:
                is_plain = False
        if is_plain:
            if score == NOT_ALARMING:
                score = _quiet_score(scored.known)
            if score != NOT_ALARMING:
                self._marker.passed(scored.record.attributes, score)
        return is_plain

    def _mark(self, alarming: Iterable[Scored]) -> None:
        """Mark the records of which not all texts pass, or not all of each was read."""
        for scored in alarming:
            for finding in scored.findings:
                finding.dropped = RANKS[finding.verdict.label.value] >= self._drop_rank
            self._mark_one(scored)

    def _mark_one(self, scored: Scored) -> None:
        record, marker = scored.record, self._marker
        if any(known.failed for known in scored.known):
            marker.failed(record.attributes)
        if any(known.verdict is not None and known.verdict.truncated for known in scored.known):
            marker.truncated(record.attributes)
        if scored.findings:
            marker.found(record, scored.findings)
            self._count(scored)
            return
        scores = [known.score for known in scored.known]
        score = max(scores) if max(scores) != NOT_ALARMING else _quiet_score(scored.known)
        if score != NOT_ALARMING:
            marker.passed(record.attributes, score)

    def _count(self, scored: Scored) -> None:
        """Count findings that were raised or dropped as what they are now."""
        for finding in scored.findings:
            known = scored.known[finding.index]
            verdict, action = finding.verdict, DROP if finding.dropped else ANNOTATE
            if verdict is not known.verdict or action != ANNOTATE:
                known.series.count -= 1
                origin = finding.part.lane.origin
                self._telemetry.parts(origin, verdict.label, verdict.category, action).count += 1

    def _drop(self, batch: Batch, alarming: Iterable[Scored]) -> None:
        """Take dropped texts out of their records, and out of the others of their traces."""
        from processors.adversarial.dropping import eraser_of  # noqa: PLC0415 - for those who drop

        by_trace: defaultdict[bytes, list[Finding]] = defaultdict(list)
        for scored in alarming:
            dropped = [finding for finding in scored.findings if finding.dropped]
            if dropped and (trace_id := scored.record.pb.trace_id):
                by_trace[trace_id] += dropped
            elif dropped:
                self._erase(scored.record, eraser_of(dropped))
        records = batch.records()
        erasers = self._later.get(records[0].content, {})
        for trace_id, found in by_trace.items():
            erasers[trace_id] = [*erasers.get(trace_id, ()), eraser_of(found)]
        for record in records if erasers else ():
            for eraser in erasers.get(record.pb.trace_id, ()):
                self._erase(record, eraser)
        if erasers and batch.behind():
            self._later[records[0].content] = erasers

    def _erase(self, record: Record, eraser: Eraser) -> None:
        from processors.adversarial.dropping import empty, erase  # noqa: PLC0415 - as above

        try:
            erase(record, eraser)
        except Exception:  # noqa: BLE001 - a text that cannot be taken out goes with all the others
            empty(record)
            self._telemetry.skipped("error").count += 1


def _findings(scored: Scored) -> list[Finding]:
    """The texts that do not pass."""
    pairs = zip(scored.parts, scored.known, strict=True)
    return [
        Finding(index, Part(*part), known.verdict)
        for index, (part, known) in enumerate(pairs)
        if known.verdict is not None and known.verdict.label is not Label.PASS
    ]


def _quiet_score(known: Iterable[Known]) -> float:
    """The score of a record of which no text can raise an alarm."""
    return max((one.verdict.score for one in known if one.verdict is not None), default=NOT_ALARMING)


def load_rules(config: AdversarialConfig, host: Host) -> Rules:
    """The trained detector with the limits of a configuration; pipelines of one processor share the model.

    Raises:
        StartError: NumPy is not there.
    """
    require_numpy(str(host.id))
    from processors.adversarial.detector import Detector, Thresholds  # noqa: PLC0415 - NumPy and the model
    from processors.adversarial.model.model import Model  # noqa: PLC0415 - the same
    from processors.adversarial.model.weights import PATH, Weights  # noqa: PLC0415 - the same

    model = host.shared(Model, lambda: Model(Weights.load(PATH)))
    thresholds = Thresholds(config.thresholds.suspect, config.thresholds.attack)
    return Detector(model, thresholds, config.max_part_characters), model.weights.version
