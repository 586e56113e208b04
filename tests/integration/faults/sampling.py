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


def sampling_kill(bench: Bench) -> Result:
    """Workers of one group, killed one after the other in the midst of traces, and started again."""
    return _sampled(bench, [System.kill])


def sampling_rebalance(bench: Bench) -> Result:
    """Workers of one group that leave, in good order or not, and come back: partitions move with traces open."""
    return _sampled(bench, [System.terminate, System.kill], away=True)


def sampling_kill_topic(bench: Bench) -> Result:
    """As `sampling_kill`, with late spans, a rule that only whole traces meet, and a topic for decisions."""
    shared, topic = bench.broker(), f"{bench.folder.name}-decisions"
    create_topic(shared.bootstrap, topic, partitions=2)
    keys = {
        **TAIL_SAMPLING,
        "policies": [DROP, *POLICIES],
        "decision_cache": {"topic": {"brokers": [shared.bootstrap], "topic": topic}},
    }
    return _sampled(bench, [System.kill], keys=keys, ok_share=0.3, late_share=0.2)


def _sampled(
    bench: Bench,
    ends: Sequence[Callable[[System], object]],
    *,
    away: bool = False,
    keys: Mapping[str, Any] = TAIL_SAMPLING,
    **traces: float,
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
        for system in systems:
            system.terminate()
        return _result(writer, arrived, ledger)


def _member(bench: Bench, shared: Broker, index: int, backend_port: int, keys: Mapping[str, Any]) -> System:
    own, name = Ports.free(), bench.folder.name
    ports = Ports(own.intake, own.health, own.page, backend_port)
    receiver = kafka_in(shared, [name], name, session_timeout=f"{SESSION_S:.0f}s")
    config = configuration(ports, receiver, otlp_out(ports), processors={"tail_sampling": keys})
    return System(bench.collector, config, bench.folder / f"member-{index}", ports=[ports.health])


def _result(writer: TraceWriter, arrived: Backend, ledger: Ledger) -> Result:
    """The ledger of spans; and of traces: all of one that is kept, nothing of one that is dropped."""
    there = arrived.arrived.keys()
    acknowledged = [trace for trace in writer.traces if trace.is_acknowledged]
    kept = [trace for trace in acknowledged if trace.is_kept]
    dropped = [trace for trace in acknowledged if not trace.is_kept]
    lost = sum(not there & set(trace.ids) for trace in kept)
    split = sum(0 < len(there & set(trace.ids)) < len(trace.ids) for trace in kept)
    leaked = sum(bool(there & set(trace.ids)) for trace in dropped)
    result = Result(len(ledger.faults), ledger.account())
    result.notes.append(f"{len(kept)} of {len(acknowledged)} traces kept, {split} split, {lost} lost, {leaked} leaked")
    if split:
        result.problems.append(f"{split} kept traces are split")
    if leaked:
        result.problems.append(f"spans of {leaked} dropped traces have arrived")
    if not dropped or not kept:
        result.problems.append("no trace was kept, or none dropped")
    return result
