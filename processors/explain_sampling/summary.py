"""What a replay comes to: shares, rules, and what the kept traces say of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from processors.explain_sampling.estimates import Estimate, Kept, estimate
from processors.explain_sampling.recorded import MEASURES, RecordedTrace, Recording
from processors.sampling.thresholds import NEVER, probability_of
from processors.tail_sampling.policy import Decision


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one trace in a replay, and why.

    Attributes:
        randomness: R it was decided with.
        asked: T of each policy that was asked, by name, in the order of asking.
        waited_s: from its first span to the decision, in the time of the recording.
        policy: whose rule the decision names; policies with others inside name these.
    """

    decision: Decision
    randomness: int
    asked: Mapping[str, int]
    waited_s: float
    policy: str = ""

    @property
    def matched(self) -> list[str]:
        """The policies that would keep it (or drop it, if that is what they do)."""
        return [name for name, threshold in self.asked.items() if threshold <= self.randomness]


@dataclass(slots=True)
class Amount:
    """Traces, with their spans and bytes."""

    traces: int = 0
    spans: int = 0
    size_bytes: int = 0

    def add(self, trace: RecordedTrace) -> None:
        """One more trace."""
        self.traces += 1
        self.spans += trace.spans
        self.size_bytes += trace.size_bytes


def amount_of(traces: Iterable[RecordedTrace]) -> Amount:
    """All of them."""
    found = Amount()
    for trace in traces:
        found.add(trace)
    return found


@dataclass(slots=True)
class Rule:
    """One policy over all traces.

    Attributes:
        matched: traces that it would keep (or drop).
        decided: traces whose rule it is: it kept them with the smallest threshold (of those in its container), or
            dropped them.
        alone: kept traces that no other policy (beside it in its container) would keep.
        parent: the policy it is inside of; empty: none. `siblings`: those that are there, too.
        thresholds: smallest and largest T it answered for traces in which it had an interest, UNKNOWN left out.
        unknown: how often it kept with a probability that nobody knows.
    """

    name: str
    type: str
    drops: bool = False
    parent: str = ""
    siblings: frozenset[str] = frozenset()
    matched: int = 0
    decided: int = 0
    alone: int = 0
    unknown: int = 0
    thresholds: tuple[int, int] = (NEVER, -1)

    def add(self, fate: Fate) -> None:
        """One trace that it was asked about."""
        threshold = fate.asked[self.name]
        if 0 <= threshold < NEVER:
            least, most = self.thresholds
            self.thresholds = min(least, threshold), max(most, threshold)
        matched = [name for name in fate.matched if name in self.siblings]
        if self.name in matched:
            self.matched += 1
            self.unknown += threshold < 0
            self.alone += fate.decision.kept and len(matched) == 1
        self.decided += self._decides(fate, matched)

    def _decides(self, fate: Fate, matched: list[str]) -> bool:
        if not self.parent:
            return fate.policy == self.name
        return fate.decision.kept and bool(matched) and min(matched, key=fate.asked.__getitem__) == self.name


@dataclass(frozen=True, slots=True)
class Line:
    """One estimated sum, beside the truth."""

    name: str
    truth: float
    estimate: Estimate


@dataclass(slots=True)
class Summary:
    """One configuration over one recording.

    Attributes:
        unknown: kept traces of unknown probability; estimates leave them out.
        estimates: nothing where the configuration writes no weights.
        undecided: traces that were given no fate by a policy (too large, overload).
        inner: traces kept by rules that are no policies, by rule.
        late_spans: that followed a decision to keep, or to drop.
        waits_s: from the first span to the decision: median, longest.
    """

    recorded: Amount
    kept: Amount
    rules: list[Rule]
    unknown: Amount = field(default_factory=Amount)
    estimates: list[Line] = field(default_factory=list)
    undecided: int = 0
    inner: dict[str, int] = field(default_factory=dict)
    late_spans: tuple[int, int] = (0, 0)
    waits_s: tuple[float, float] = (0.0, 0.0)


@dataclass(slots=True)
class Replayed:
    """What became of the traces of a recording.

    Attributes:
        fates: by trace id; the first, where one was decided twice.
        rules: one for each policy, still to be filled.
        is_weighted: whether kept spans say what they stand for.
        late_spans: that followed a decision to keep, or to drop.
    """

    fates: dict[bytes, Fate]
    rules: list[Rule]
    is_weighted: bool
    late_spans: tuple[int, int] = (0, 0)


def summarise(recording: Recording, replayed: Replayed) -> Summary:
    """Put together what became of each trace. Fills the rules."""
    fates, by_name = replayed.fates, {rule.name: rule for rule in replayed.rules}
    for fate in fates.values():
        for name in fate.asked:
            by_name[name].add(fate)
    kept = [trace for trace in recording.traces.values() if _is_kept(fates, trace)]
    waits_s = sorted(fate.waited_s for fate in fates.values())
    found = Summary(amount_of(recording.traces.values()), amount_of(kept), replayed.rules)
    found.late_spans = replayed.late_spans
    found.inner = Counter(
        fate.decision.rule for fate in fates.values() if fate.decision.kept and fate.decision.rule not in by_name
    )
    found.undecided = sum(trace_id not in fates for trace_id in recording.traces)
    if waits_s:
        found.waits_s = waits_s[len(waits_s) // 2], waits_s[-1]
    if replayed.is_weighted:
        known = [trace for trace in kept if fates[trace.trace_id].decision.threshold is not None]
        found.unknown = amount_of(trace for trace in kept if fates[trace.trace_id].decision.threshold is None)
        found.estimates = [_line(name, measure, recording, known, fates) for name, measure in MEASURES.items()]
    return found


def _is_kept(fates: Mapping[bytes, Fate], trace: RecordedTrace) -> bool:
    fate = fates.get(trace.trace_id)
    return fate is not None and fate.decision.kept


def _line(
    name: str,
    measure: Callable[[RecordedTrace], float],
    recording: Recording,
    kept: Iterable[RecordedTrace],
    fates: Mapping[bytes, Fate],
) -> Line:
    """The estimate of one sum: the recording is what was sampled, whatever its traces stood for before."""
    seen = (
        Kept(
            fates[trace.trace_id].randomness,
            probability_here(trace, fates[trace.trace_id]),
            measure(trace) * trace.stands_for,
        )
        for trace in kept
    )
    return Line(name, recording.total(measure), estimate(seen))


def probability_here(trace: RecordedTrace, fate: Fate) -> float:
    """With which a trace of the recording is kept: given that it reached the threshold it came with."""
    threshold = max(trace.threshold_in, fate.decision.threshold or 0)
    return probability_of(threshold) / probability_of(trace.threshold_in)


@dataclass(slots=True)
class Difference:
    """What two configurations make of the same traces.

    Attributes:
        rules: of the traces that only one keeps, how many by which of its rules.
    """

    both: Amount
    only: tuple[Amount, Amount]
    rules: tuple[dict[str, int], dict[str, int]]


def difference(recording: Recording, one: Mapping[bytes, Fate], other: Mapping[bytes, Fate]) -> Difference:
    """Compare the kept sets."""
    found = Difference(Amount(), (Amount(), Amount()), ({}, {}))
    for trace in recording.traces.values():
        kept = _is_kept(one, trace), _is_kept(other, trace)
        if all(kept):
            found.both.add(trace)
        elif any(kept):
            place = kept.index(True)
            found.only[place].add(trace)
            rule = (one, other)[place][trace.trace_id].decision.rule
            found.rules[place][rule] = found.rules[place].get(rule, 0) + 1
    return found
