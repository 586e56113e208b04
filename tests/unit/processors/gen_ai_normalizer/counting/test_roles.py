"""Each call counts once: what makes two records the reports of one call, and what does not."""

from __future__ import annotations

import itertools

import pytest

from pipeline.signals import LogRecord, Span
from pipeline.testing import FakeClock
from processors.gen_ai_normalizer.counting.calls import GENERATION_S, Calls
from processors.gen_ai_normalizer.counting.roles import Roles
from tests.unit.processors.gen_ai_normalizer.reported import MODEL, SERVER, USAGE, answered, event, span

OTHERS = {"gen_ai.usage.input_tokens": 53, "gen_ai.usage.output_tokens": 7}


class Seen:
    """Roles of records, one batch each."""

    def __init__(self, *, aggregates_count: bool = False) -> None:
        self.clock = FakeClock()
        self.calls = Calls(self.clock.monotonic())
        self._roles = Roles(self.calls, self.clock, aggregates_count=aggregates_count)

    def __call__(self, record: Span | LogRecord, role: str | None = "leaf") -> str | None:
        self._roles.begin()
        if isinstance(record, Span):
            found = self._roles.of_span(role, record, record.attributes)
            return next((settled for _, settled in self._roles.settle()), found)
        return self._roles.of_log(role, record, record.attributes)


def roles(*records: Span | LogRecord) -> list[str | None]:
    seen = Seen()
    return [seen(record) for record in records]


ONCE: dict[str, list[Span | LogRecord]] = {
    "a framework around another library's span": [span(1, at=(0.1, 0.9)), span(2, scope="langchain", at=(0, 1))],
    "a framework whose span is the parent": [span(1, parent=2, at=(0.1, 0.9)), span(2, scope="langchain")],
    "with spans between that nobody sees": [span(1, parent=7, at=(0.1, 0.9)), span(2, scope="langchain", parent=5)],
    "a library around itself": [span(1, parent=2, at=(0.1, 0.9)), span(2)],
    "two instrumentations of one client": [span(1), span(2, scope="openinference", at=(0.0005, 0.9995))],
    "three of them": [span(1), span(2, scope="openinference"), span(3, scope="langchain")],
    "the same response on siblings": [span(1, answered("r")), span(2, answered("r"), at=(0.5, 1.5))],
    "the same response in another trace": [
        span(1, answered("r"), parent=0),
        span(2, answered("r"), scope="litellm", process="proxy", trace=2, parent=0),
    ],
    "a gateway's clock that is off": [
        span(1, answered("r")),
        span(2, answered("r"), scope="agentgateway", process="proxy", at=(3, 3.8), kind=SERVER),
    ],
    "the server below its client": [
        span(1, at=(0, 1)),
        span(2, scope="vllm.llm_engine", process="gpu", parent=1, at=(0.1, 0.9), kind=SERVER),
    ],
    "a server that counts otherwise, below its client": [
        span(1, USAGE, at=(0, 1)),
        span(2, OTHERS, scope="custom", process="gpu", parent=1, at=(0.1, 0.9), kind=SERVER),
    ],
    "client, gateway and server": [
        span(3, scope="vllm.llm_engine", process="gpu", parent=2, at=(0.2, 0.8), kind=SERVER),
        span(2, scope="litellm", process="proxy", parent=1, at=(0.1, 0.9), kind=SERVER),
        span(1, at=(0, 1)),
    ],
    "libraries that both leave the other a root": [
        span(1, {**USAGE, **MODEL}, scope="mistralai_sdk", trace=1, parent=0, at=(0.1, 0.9)),
        span(2, {**USAGE, **MODEL}, trace=2, parent=0, at=(0, 1)),
    ],
    "another library that adds one token": [
        span(1, {**OTHERS, **MODEL}, at=(0.1, 0.9)),
        span(2, {**USAGE, **MODEL}, scope="langchain"),
    ],
    "a failed call, known by its model": [span(1, MODEL, at=(0.1, 0.9)), span(2, MODEL, scope="langchain")],
    "the event of a call without recorded span, then its span": [event(answered("r")), span(1, answered("r"))],
    "an agent's event in no trace": [span(1, scope="codex_exec"), event(at=0.999)],
    "an event of the library that wrote the span": [span(1, scope="test", parent=0), event(at=0.999)],
    "a span, then the event": [span(1, answered("r")), event(answered("r"), at=1.2)],
    "the event of a span without a response id": [span(1), event(trace=1, inside=1, at=1.2)],
    "a streamed call's second record": [
        span(1, answered("r"), scope="logfire", at=(0.9, 0.9)),
        span(2, answered("r"), scope="openinference", at=(0, 1)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", ONCE)
def test_reports_of_one_call_count_once_in_any_order(name: str) -> None:
    for order in itertools.permutations(ONCE[name]):
        first, *others = roles(*order)
        assert first == "leaf"
        assert set(others) == {"duplicate"}, [record.pb for record in order]


EACH: dict[str, list[Span | LogRecord]] = {
    "identical calls at the same time by one library": [span(1), span(2), span(3)],
    "in a long trace": [span(number, at=(number, number + 1)) for number in range(1, 200)],
    "two attempts": [span(1, answered("a"), at=(0, 1)), span(2, answered("b"), at=(1, 2))],
    "two attempts at the same time": [span(1, answered("a")), span(2, answered("b"))],
    "two attempts below one another": [span(1, answered("a"), parent=2, at=(0.1, 0.9)), span(2, answered("b"))],
    "two libraries, one after the other": [span(1), span(2, scope="google", at=(1.5, 2))],
    "two libraries and two responses": [span(1, answered("a")), span(2, answered("b"), scope="google")],
    "other counts of another model": [
        span(1, {**USAGE, **MODEL}),
        span(2, {**OTHERS, "gen_ai.request.model": "gemini-2.5-pro"}, scope="google"),
    ],
    "a call below a call": [span(1, {**OTHERS, "gen_ai.usage.input_tokens": 5}, parent=2), span(2)],
    "another trace": [span(1, trace=1), span(2, trace=2, scope="langchain")],
    "one response id over and over": [
        span(1, answered("test"), trace=1, at=(0, 1)),
        span(2, answered("test"), trace=2, at=(5, 6)),
        span(3, answered("test"), trace=2, at=(7, 8)),
    ],
    "one response id over and over, at the same time": [
        span(number, answered("test"), trace=number, parent=0) for number in range(1, 30)
    ],
    "identical calls of services, one behind the other": [
        span(1, process="shop", at=(0, 0.2)),
        span(2, process="search", at=(0.4, 0.6)),
        span(3, process="search", scope="langchain", at=(0.8, 0.9)),
    ],
    "gateways alone": [span(1, scope="agentgateway", kind=SERVER), span(2, trace=2, kind=SERVER)],
    "roots of one library": [span(number, trace=number, parent=0) for number in range(1, 30)],
    "a failed call soon after an event": [
        event({**USAGE, **MODEL}, at=1),
        span(1, MODEL, scope="com.anthropic.claude_code.tracing", at=(1.5, 1.8)),
    ],
    "events without spans": [event(answered("a")), event(answered("b")), event(OTHERS), event(OTHERS, at=2)],
}  # fmt: skip


@pytest.mark.parametrize("name", EACH)
def test_calls_that_look_alike_count_each(name: str) -> None:
    for order in (EACH[name], EACH[name][::-1]):
        assert set(roles(*order)) == {"leaf"}


def test_ids_that_begin_anew_in_each_trace() -> None:
    """What repeats its parent in one trace is a call in another, where the parent is none."""
    repeated = [span(1, parent=0), span(2, parent=1)]
    call = span(2, parent=1, trace=2)
    assert roles(*repeated, call) == ["leaf", "duplicate", "leaf"]


def test_identical_calls_at_the_same_time_seen_by_two_libraries() -> None:
    inner = [span(number) for number in range(1, 20)]
    outer = [span(number + 100, scope="langchain") for number in range(1, 20)]
    assert roles(*inner, *outer) == ["leaf"] * 19 + ["duplicate"] * 19
    mixed = [record for pair in zip(inner, outer, strict=True) for record in pair]
    assert roles(*mixed) == ["leaf", "duplicate"] * 19


def test_one_of_two_attempts_is_what_the_framework_around_them_reports() -> None:
    attempts = [span(1, answered("a"), parent=3, at=(0, 0.4)), span(2, answered("b"), parent=3, at=(0.5, 0.9))]
    assert roles(*attempts, span(3, answered("b"), scope="langchain")) == ["leaf", "leaf", "duplicate"]


def test_a_span_that_sums_up_the_calls_beneath_it_counts_nothing() -> None:
    parts = [span(1, USAGE, parent=3, at=(0, 0.4)), span(2, OTHERS, parent=3, at=(0.5, 0.9))]
    total = {"gen_ai.usage.input_tokens": 106, "gen_ai.usage.output_tokens": 55}
    assert roles(*parts, span(3, total)) == ["leaf", "leaf", "duplicate"]


LACKING = {
    "a framework": (span(1, MODEL, scope="langchain"), span(2, {**USAGE, **MODEL}, at=(0.1, 0.9))),
    "an instrumentation inside": (span(1, MODEL, at=(0.1, 0.9)), span(2, {**USAGE, **MODEL}, scope="langchain")),
    "a server": (span(1, {}, scope="envoy-ai", process="proxy", at=(0.1, 0.9)), span(2, USAGE)),
    "who names the response": (
        span(1, {"gen_ai.response.id": "r"}, at=(0.1, 0.9)),
        span(2, answered("r"), scope="langchain"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_counts_that_the_first_report_lacked_are_not_lost(name: str) -> None:
    bare, counted = LACKING[name]
    assert roles(counted, bare) == ["leaf", "duplicate"]
    assert roles(bare, counted) == ["leaf", "leaf"]


def test_a_record_that_comes_again_keeps_its_role() -> None:
    sent: list[Span | LogRecord] = [
        span(1, answered("r"), parent=2, at=(0.1, 0.9)),
        span(2, answered("r"), scope="langchain"),
        span(3, answered("x"), trace=2, parent=0),
        event(OTHERS),
        event(answered("r"), at=0.95),
    ]
    seen = Seen()
    once = [seen(record) for record in sent]
    assert once == ["leaf", "duplicate", "leaf", "leaf", "duplicate"]
    assert [seen(record) for record in sent] == once


@pytest.mark.parametrize(
    ("record", "role"),
    [
        (event(trace=1, inside=5, flags=1), None),
        (event(trace=1, inside=5, flags=0), "leaf"),
        (event({"gen_ai.request.model": "gpt-4o"}), None),
    ],
    ids=["beside a span that is recorded", "in a span that is not", "without usage"],
)
def test_events_count_where_no_span_does(record: LogRecord, role: str | None) -> None:
    assert Seen()(record) == role


def test_what_is_no_call_has_the_role_its_dialect_says() -> None:
    assert Seen()(span(1), "aggregate") == "aggregate"
    assert Seen()(span(1), "duplicate") == "duplicate"
    assert Seen()(span(1), None) is None


async def test_calls_are_remembered_across_generations_and_then_forgotten() -> None:
    seen = Seen()
    inner, outer = span(1, answered("r"), at=(0.1, 0.9)), span(2, answered("r"), scope="langchain")
    assert seen(inner) == "leaf"
    await seen.clock.advance(GENERATION_S + 1)
    assert seen(outer) == "duplicate"
    await seen.clock.advance(2 * GENERATION_S + 2)
    assert seen(span(9, trace=9)) == "leaf"
    await seen.clock.advance(GENERATION_S + 1)
    assert seen(span(3, answered("r"), scope="google")) == "leaf"


def test_a_root_that_does_not_know_its_counts() -> None:
    counted = span(1, {**USAGE, **MODEL}, trace=1, parent=0, at=(0, 1))
    uncounted = span(2, MODEL, scope="mistralai_sdk", trace=2, parent=0, at=(0.1, 0.9))
    assert roles(counted, uncounted) == ["leaf", "duplicate"]
    elsewhere = span(2, MODEL, scope="mistralai_sdk", trace=2, parent=0, at=(2, 3))
    assert roles(counted, elsewhere) == ["leaf", "leaf"]


def test_a_root_of_the_client_beneath_a_span_that_knows_less() -> None:
    known = {"gen_ai.usage.output_tokens": 48}
    client = span(1, answered("r"), scope="com.anthropic.sdk.python", trace=2, parent=0, at=(0.1, 0.9))
    framework = span(2, {**known, **MODEL}, scope="langchain", trace=1, parent=7)
    assert roles(client, framework) == ["leaf", "duplicate"]
    other = span(3, {"gen_ai.usage.output_tokens": 49, **MODEL}, scope="langchain", trace=1, parent=7)
    assert roles(client, other) == ["leaf", "leaf"]
    assert roles(framework, client) == ["leaf", "leaf"], "better a call too many than tokens lost"
