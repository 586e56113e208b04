"""Long work: memory stays flat over a topic, a chain and a topic; a group survives a loop that is always busy."""

from __future__ import annotations

import statistics
import time
from typing import Any

from tests.benchmarks.payloads import TEXT, TEXT_FREE
from tests.integration.faults.backend import Backend, running
from tests.integration.faults.bench import (
    Bench,
    Ports,
    Result,
    configuration,
    kafka_in,
    kafka_out,
    otlp_out,
)
from tests.integration.faults.ledger import Ledger
from tests.integration.faults.system import System, is_busy, until
from tests.integration.faults.topics import TopicReader, TopicWriter, at_work, create_topic, genuine
from tests.servers.kafka.broker import Broker

CHAIN: dict[str, Any] = {"gen_ai_normalizer": None, "gen_ai_latency": None, "gen_ai_cost": None}
FLAT_SHARE = 0.05
"""Memory may grow by this share of it in the second half."""
WARM_SPANS = 200_000
"""Less than this says nothing about growth."""
BACKLOG_SPANS = 20_000
_PAUSE_S = 0.25
_FAST = 1e9


def memory_flat(bench: Bench) -> Result:
    """Spans without text from a topic through the chain to a topic; memory over what has arrived."""
    ports, shared, name = Ports.free(), bench.broker(), bench.folder.name
    source, target = f"{name}-in", f"{name}-out"
    for topic in (source, target):
        create_topic(shared.bootstrap, topic)
    config = configuration(
        ports, kafka_in(shared, [source], name), kafka_out(shared, target), processors=CHAIN if bench.is_ours else {}
    )
    arrived = TopicReader(shared.bootstrap, target)
    writer = TopicWriter(
        shared.bootstrap,
        source,
        seed=bench.seed,
        spans_per_s=_FAST,
        make=genuine(TEXT_FREE),
        spans=bench.spans,
        pause=lambda: len(writer.sent) > len(arrived.arrived) + BACKLOG_SPANS,
    )
    with (
        at_work(arrived),
        System(bench.collector, config, bench.folder, ports=[ports.health]) as system,
        at_work(writer),
    ):
        ledger = Ledger([writer], arrived)
        measured = _watch(system, arrived, bench.spans)
        writer.join()
        ledger.wait()
        system.terminate()
    growth, share = _growth(measured)
    problems = [f"memory grew by {growth:.1f} MiB in the second half"] if _is_leaking(bench.spans, share) else []
    return Result(0, ledger.account(), [f"{growth:+.1f} MiB ({share:+.1%}) in the second half"], problems)


def _watch(system: System, arrived: TopicReader, spans: int) -> list[tuple[int, float]]:
    """(spans arrived, MiB) until all have, or none for a minute."""
    measured: list[tuple[int, float]] = []
    seen, since = 0, time.monotonic()
    while seen < spans and time.monotonic() - since < 60:
        count = arrived.arrived.total()
        if count > seen:
            seen, since = count, time.monotonic()
        measured.append((count, system.memory_bytes / 2**20))
        time.sleep(_PAUSE_S)
    return measured


def _growth(measured: list[tuple[int, float]]) -> tuple[float, float]:
    """Growth by linear regression, in MiB and as a share: over the second half, until the backlog is worked off."""
    last = measured[-1][0]
    half = [pair for pair in measured if last / 2 <= pair[0] <= last - BACKLOG_SPANS]
    if len({count for count, _ in half}) < 2:
        return 0.0, 0.0
    counts, sizes = zip(*half, strict=True)
    slope = statistics.linear_regression(counts, sizes).slope
    growth = slope * (counts[-1] - counts[0])
    return growth, growth / statistics.mean(sizes)


def _is_leaking(spans: int, share: float) -> bool:
    return spans >= WARM_SPANS and share > FLAT_SHARE


def heartbeat(bench: Bench) -> Result:
    """A backlog and a chain that keep the process busy for `away_s`; its group must not notice."""
    ports, shared, name = Ports.free(), bench.broker(), bench.folder.name
    create_topic(shared.bootstrap, name)
    receiver = kafka_in(shared, [name], name, session_timeout="10s", heartbeat_interval="3s")
    chain = {**CHAIN, "redaction": {"entities": "all"}} if bench.is_ours else {}
    config = configuration(ports, receiver, otlp_out(ports), processors=chain)
    backlog = min(BACKLOG_SPANS, bench.spans // 4)
    arrived = Backend(ports.backend, delay_s=0.001, threads=4)
    writer = TopicWriter(
        shared.bootstrap,
        name,
        seed=bench.seed,
        spans_per_s=_FAST,
        make=genuine(TEXT),
        pause=lambda: len(writer.sent) > len(arrived.arrived) + backlog,
    )
    with (
        running(arrived),
        at_work(writer),
        System(bench.collector, config, bench.folder, ports=[ports.health]) as system,
    ):
        ledger = Ledger([writer], arrived)
        until(lambda: arrived.arrived.total() > 0, timeout_s=60)
        before = rebalances(shared, name)
        busy = is_busy(system.server.pid, over_s=bench.away_s)
        after = rebalances(shared, name)
        waiting = len(writer.sent) - len(arrived.arrived)
        writer.stop()
        ledger.wait(quiet_s=30)
        system.terminate()
    problems = [f"{after - before} rebalances"] if after > before else []
    return Result(
        0, ledger.account(), [f"{busy:.0%} of a core, {waiting} spans wait, {after - before} rebalances"], problems
    )


def rebalances(shared: Broker, group: str) -> int:
    """How often the broker has rebalanced a group so far."""
    log = (shared.folder / "broker.log").read_text(encoding="utf-8", errors="replace")
    return log.count(f"Preparing to rebalance group {group} ")
