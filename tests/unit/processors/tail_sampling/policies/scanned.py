"""Traces for tests of policies: spans as they are written down, read by the real scanner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from pipeline.signals.values import set_any_value
from processors.sampling.thresholds import randomness_of
from processors.tail_sampling.policy import Policy, Setting
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.scanning import Scanner
from processors.trace_buffer.heads import Heads
from processors.trace_buffer.trace import Trace

Attributes = Mapping[str, Any]


@dataclass(slots=True)
class Made:
    """A span. `id` 0 takes the next number; `parent` 0: none."""

    attributes: Attributes = field(default_factory=dict)
    events: Sequence[tuple[str, Attributes]] = ()
    resource: Attributes = field(default_factory=dict)
    id: int = 0
    parent: int = 0
    status: int = 0
    kind: int = 1


def span(*events: tuple[str, Attributes], resource: Attributes | None = None, **attributes: Any) -> Made:
    """A span with these attributes, a dot in a name written as two underscores."""
    return Made({key.replace("__", "."): value for key, value in attributes.items()}, events, resource or {})


def pb_of(made: Made, number: int) -> Span:
    """The message; `number`: its id, where it has none of its own."""
    pb = Span(
        span_id=(made.id or number).to_bytes(8, "big"),
        parent_span_id=made.parent.to_bytes(8, "big") if made.parent else b"",
        kind=Span.SpanKind.ValueType(made.kind),
        start_time_unix_nano=10**18,
        end_time_unix_nano=10**18 + 10**9,
    )
    if made.status:
        pb.status.code = made.status  # type: ignore[assignment]  # a number of the enumeration
    _fill(pb.attributes, made.attributes)
    for name, attributes in made.events:
        event = pb.events.add(name=name, time_unix_nano=10**18)
        _fill(event.attributes, attributes)
    return pb


def scanned(rules: Rules, *spans: Made, trace_id: bytes = bytes(16), tenant: str = "") -> Trace:
    """A trace of these spans, with the facts that the policies of `rules` asked for."""
    scanner, heads = Scanner(rules.watches), Heads()
    trace = Trace(trace_id, randomness_of(trace_id), 0.0, rules.begin())
    trace.tenant = tenant
    for number, made in enumerate(spans, start=1):
        group = ResourceSpans()
        _fill(group.resource.attributes, made.resource)
        scope = ScopeSpans(spans=[pb_of(made, number)])
        scanner.scan(
            trace, heads.get(b"", group.SerializeToString(), b""), scope.SerializeToString(), list(scope.spans)
        )
        trace.span_count += 1
    return trace


class Asked:
    """One policy, to be asked about traces."""

    def __init__(self, policy: type[Policy], setting: Setting | None = None, /, **config: Any) -> None:
        """Build it from its block of the configuration."""
        setting = setting or Setting(weighted=True)
        self.policy = policy("rule", policy.Config.model_validate(config), setting)
        self.rules = Rules([self.policy], setting)

    def __call__(self, *spans: Made, now_s: float = 0.0, tenant: str = "") -> int:
        """The threshold for a trace of these spans."""
        return self.policy.threshold(scanned(self.rules, *spans, tenant=tenant), now_s)


def _fill(pairs: Any, values: Attributes) -> None:
    for key, value in values.items():
        set_any_value(pairs.add(key=key).value, value)
