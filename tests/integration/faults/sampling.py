"""Tail sampling behind a topic, with workers that die while traces wait in them for their decision."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.integration.faults.backend import Backend, backend
from tests.integration.faults.bench import Bench, Ports, Result, configuration, kafka_in, otlp_out
from tests.integration.faults.brokers import RECOVERY_S, SESSION_S
from tests.integration.faults.ledger import Ledger
from tests.integration.faults.system import System
from tests.integration.faults.topics import at_work, create_topic
from tests.integration.faults.traces import KEPT_PERCENT, TraceWriter
from tests.servers.kafka.broker import Broker

MEMBERS = 2
_QUIET_S = 3.0
DECISION_S = 12.0
"""An offset is committed so long after its record was read, at most: the longest trace, its decision, the commit."""
POLICIES = (
    {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
    {"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": KEPT_PERCENT}},
)
TAIL_SAMPLING: Mapping[str, Any] = {
    "weights": True,
    # a trace whose next span waits in the topic, because its worker is away, is not idle
    "deadline": {"settle": "500ms", "idle": "60s"},
    "policies": list(POLICIES),
}
_OK = {"name": "ok", "type": "status_code", "status_code": {"status_codes": ["OK"]}}
DROP = {"name": "well", "type": "drop", "drop": {"drop_sub_policy": [_OK]}}
"""A rule that a part of a trace does not meet as the whole does."""
BUDGET = {"name": "rest", "type": "budget", "budget": {"spans_per_second": 150, "interval": "5s"}}


def sampling_kill(bench: Bench) -> Result:
    """Workers of one group, killed one after the other in the midst of traces, and started again."""
    return _sampled(bench, [System.kill])


def sampling_rebalance(bench: Bench) -> Result:
    """Workers of one group that leave, in good order or not, and come back: partitions move with traces open."""
    return _sampled(bench, [System.terminate, System.kill], away=True)


def sampling_kill_topic(bench: Bench) -> Result:
    """As `sampling_kill`, with late spans, a rule that only whole traces meet, and a topic for decisions."""
    keys = _with_topic(bench, [DROP, *POLICIES])
    return _sampled(bench, [System.kill], keys=keys, ok_share=0.3, late_share=0.2)


def sampling_kill_budget(bench: Bench) -> Result:
    """As `sampling_kill_topic`, with a budget, which keeps another share in each interval and after each start."""
    keys = _with_topic(bench, [POLICIES[0], BUDGET])
    return _sampled(bench, [System.kill], keys=keys, late_share=0.2, knows=False)


def _with_topic(bench: Bench, policies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    bootstrap, topic = bench.broker().bootstrap, f"{bench.folder.name}-decisions"
    create_topic(bootstrap, topic, partitions=2)
    cache = {"topic": {"brokers": [bootstrap], "topic": topic}}
    return {**TAIL_SAMPLING, "policies": list(policies), "decision_cache": cache}


def _sampled(
    bench: Bench,
    ends: Sequence[Callable[[System], object]],
    *,
    away: bool = False,
    keys: Mapping[str, Any] = TAIL_SAMPLING,
    **traces: Any,
) -> Result:
    shared, name, backend_port = bench.broker(), bench.folder.name, Ports.free().backend
    create_topic(shared.bootstrap, name, partitions=2 * MEMBERS)
    writer = TraceWriter(shared.bootstrap, name, seed=bench.seed, **traces)
    with backend(backend_port, delay_s=bench.delay_s) as arrived, contextlib.ExitStack() as stack:
        systems = [stack.enter_context(_member(bench, shared, index, backend_port, keys)) for index in range(MEMBERS)]
        ledger = Ledger([writer], arrived, settle_s=DECISION_S)
        with at_work(writer):
            rng = bench.rng
            for number in range(bench.faults):
                time.sleep(rng.uniform(0.5, 2 * bench.interval_s))
                system = systems[number % MEMBERS]
                # the group learns of a death when the session is over
                with ledger.fault(lasting_s=SESSION_S + RECOVERY_S):
                    ends[number % len(ends)](system)
                    time.sleep(rng.uniform(0, bench.interval_s) if away else 0)
                    system.start()
            time.sleep(bench.interval_s)
        ledger.wait(quiet_s=20)
        _wait_until_quiet(arrived)
        for system in systems:
            system.terminate()
        return _result(writer, arrived, ledger)


def _member(bench: Bench, shared: Broker, index: int, backend_port: int, keys: Mapping[str, Any]) -> System:
    own, name = Ports.free(), bench.folder.name
    ports = Ports(own.intake, own.health, own.page, backend_port)
    receiver = kafka_in(shared, [name], name, session_timeout=f"{SESSION_S:.0f}s")
    config = configuration(ports, receiver, otlp_out(ports), processors={"tail_sampling": keys})
    return System(bench.collector, config, bench.folder / f"member-{index}", ports=[ports.health])


def _wait_until_quiet(arrived: Backend) -> None:
    """What arrives that must not arrive may be the last."""
    seen = -1
    while seen != (seen := arrived.arrived.total()):
        time.sleep(_QUIET_S)


def _result(writer: TraceWriter, arrived: Backend, ledger: Ledger) -> Result:
    """The ledger of spans; and of traces: all of one that is kept, nothing of one that is dropped."""
    acknowledged = [
        (trace, arrived.arrived.keys() & set(trace.ids)) for trace in writer.traces if trace.is_acknowledged
    ]
    kept = sum(bool(there) for _, there in acknowledged)
    split = sum(0 < len(there) < len(trace.ids) for trace, there in acknowledged)
    lost = sum(trace.is_kept is True and not there for trace, there in acknowledged)
    leaked = sum(trace.is_kept is False and bool(there) for trace, there in acknowledged)
    result = Result(len(ledger.faults), ledger.account())
    result.notes.append(f"{kept} of {len(acknowledged)} traces kept, {split} split, {lost} lost, {leaked} leaked")
    if split:
        result.problems.append(f"{split} traces are split")
    if leaked:
        result.problems.append(f"spans of {leaked} dropped traces have arrived")
    if kept in (0, len(acknowledged)):
        result.problems.append("no trace was kept, or none dropped")
    return result
