"""A replay as a person reads it, 100 columns wide. Nothing of what the spans say is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from processors.explain_sampling.recorded import RecordedTrace
from processors.explain_sampling.summary import Amount, Difference, Fate, Line, Rule, Summary
from processors.sampling.thresholds import NEVER, probability_of, threshold_digits

_LONGEST_NAME: Final = 26
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")
_KIBI: Final = 1024


def summary_lines(name: str, summary: Summary) -> Iterator[str]:
    """One configuration."""
    yield f"{name}"
    yield ""
    yield from _columns(_shares(summary), left=1)
    median_s, longest_s = summary.waits_s
    yield f"decided {median_s:.1f} s after the first span (median), {longest_s:.1f} s at most"
    if any(summary.late_spans):
        kept, dropped = summary.late_spans
        yield f"{_count(kept)} spans that came later were kept with their trace, {_count(dropped)} dropped"
    if summary.undecided:
        yield f"{_count(summary.undecided)} traces met no decision: too large, or no room"
    yield ""
    yield from _columns(_rules(summary), left=2)
    for rule, count in sorted(summary.inner.items(), key=lambda entry: (-entry[1], entry[0])):
        yield f"kept by {rule}: {_count(count)} traces"
    yield ""
    yield from _estimates(summary)


def _shares(summary: Summary) -> Iterator[Sequence[str]]:
    recorded, kept = summary.recorded, summary.kept
    yield "", "recorded", "kept", "share"
    yield "traces", _count(recorded.traces), _count(kept.traces), _share(kept.traces, recorded.traces)
    yield "spans", _count(recorded.spans), _count(kept.spans), _share(kept.spans, recorded.spans)
    yield "bytes", _bytes(recorded.size_bytes), _bytes(kept.size_bytes), _share(kept.size_bytes, recorded.size_bytes)


def _rules(summary: Summary) -> Iterator[Sequence[str]]:
    yield "rule", "type", "matched", "share", "decides", "alone", "p", "T"
    for rule in summary.rules:
        name = f"{_named(rule)} (drops)" if rule.drops else _named(rule)
        counts = _count(rule.matched), _share(rule.matched, summary.recorded.traces), _count(rule.decided)
        yield name, rule.type, *counts, _count(rule.alone), *_probability(rule)


def _named(rule: Rule) -> str:
    """Those inside another stand below it, without its name."""
    return f"  {_short(rule.name.removeprefix(rule.parent)[1:])}" if rule.parent else _short(rule.name)


def _probability(rule: Rule) -> tuple[str, str]:
    least, most = rule.thresholds
    if most < 0:
        return ("unknown" if rule.unknown else "-"), "-"
    if least == most:
        return _p(least), threshold_digits(least)
    return f"{_p(most)} to {_p(least)}", "varies"


def _estimates(summary: Summary) -> Iterator[str]:
    if not summary.estimates:
        yield "no weights are written: what is kept says nothing about the rest (weights: true)"
        return
    yield from _columns([("estimate", "truth", "by the weights", "error", "95 % interval"), *_lines(summary)], left=1)
    if summary.unknown.traces:
        yield f"left out: {_count(summary.unknown.traces)} kept traces whose probability nobody knows (token buckets)"


def _lines(summary: Summary) -> Iterator[Sequence[str]]:
    for line in summary.estimates:
        holds = "holds" if line.estimate.covers(line.truth) else "misses"
        margin = f"{line.estimate.margin / line.truth:.1%}" if line.truth else _amount(line.estimate.margin)
        yield line.name, _amount(line.truth), _amount(line.estimate.total), _error(line), f"+-{margin} {holds}"


def _error(line: Line) -> str:
    error = line.estimate.error(line.truth)
    return "-" if error is None else f"{error:+.1%}"


def difference_lines(found: Difference) -> Iterator[str]:
    """Two configurations beside each other."""
    yield "Difference"
    yield ""
    rows = [("", "traces", "spans", "bytes"), _amounts("kept by both", found.both)]
    rows += [_amounts(f"only by {name}", amount) for name, amount in zip("AB", found.only, strict=True)]
    yield from _columns(rows, left=1)
    for name, rules in zip("AB", found.rules, strict=True):
        for rule, count in sorted(rules.items(), key=lambda entry: (-entry[1], entry[0])):
            yield f"only by {name}, rule {_short(rule)}: {_count(count)} traces"


def _amounts(name: str, amount: Amount) -> tuple[str, str, str, str]:
    return name, _count(amount.traces), _count(amount.spans), _bytes(amount.size_bytes)


def trace_lines(name: str, trace: RecordedTrace, fate: Fate | None, rules: Sequence[Rule]) -> Iterator[str]:
    """Why one trace is kept, or is not."""
    yield f"{name}: trace {trace.trace_id.hex()}"
    seconds = max(0, trace.end_unix_ns - trace.start_unix_ns) / 1e9
    failed = "failed" if trace.is_error else "no error"
    yield f"{_count(trace.spans)} spans, {_bytes(trace.size_bytes)}, {seconds:.3f} s, {failed}"
    if fate is None:
        yield "no decision: it is too large, or there was no room"
        return
    yield f"R = {fate.randomness:014x}, decided {fate.waited_s:.1f} s after its first span"
    if trace.threshold_in:
        yield f"it came with th:{threshold_digits(trace.threshold_in)} (p = {_p(trace.threshold_in)})"
    types = {rule.name: rule.type for rule in rules}
    rows = [_asked(rule, types[rule], threshold, fate) for rule, threshold in fate.asked.items()]
    yield from _columns([("rule", "type", "p", "T", ""), *rows], left=2)
    yield _verdict(fate, trace)


def _asked(rule: str, kind: str, threshold: int, fate: Fate) -> Sequence[str]:
    if threshold > NEVER:
        return _short(rule), kind, "unknown", "-", "no room in its budget"
    if threshold == NEVER:
        return _short(rule), kind, "0", "-", "does not match"
    verdict = "matches" if threshold <= fate.randomness else "matches, but R < T"
    if threshold < 0:
        return _short(rule), kind, "unknown", "-", verdict
    return _short(rule), kind, _p(threshold), threshold_digits(threshold), verdict


def _verdict(fate: Fate, trace: RecordedTrace) -> str:
    decision = fate.decision
    if not decision.kept:
        return f"dropped by {decision.rule}" if decision.rule else "dropped: no rule wants it"
    if decision.threshold is None:
        return f"kept by {decision.rule}; with which probability, nobody knows"
    threshold = max(decision.threshold, trace.threshold_in)
    stands_for = 1 / probability_of(threshold)
    return f"kept by {decision.rule}: th:{threshold_digits(threshold)}, stands for {stands_for:.4g} traces"


def _columns(rows: Iterator[Sequence[str]] | Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """Columns of one width; the first `left` of them aligned left."""
    table = list(rows)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _p(threshold: int) -> str:
    return f"{probability_of(threshold):.4g}"


def _count(number: int) -> str:
    return f"{number:,}"


def _amount(number: float) -> str:
    return f"{number:,.4f}" if number < 100 and number != int(number) else f"{number:,.0f}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _bytes(size_bytes: float) -> str:
    unit = 0
    while size_bytes >= _KIBI and unit < len(_UNITS) - 1:
        size_bytes /= _KIBI
        unit += 1
    return f"{size_bytes:.1f} {_UNITS[unit]}" if unit else f"{size_bytes:.0f} B"
