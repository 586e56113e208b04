"""What every component must do, whoever wrote it. The suite runs over everything that is registered.

A plug-in's own tests can call the same checks: `await conformance.check_processor(MyProcessor, config)`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from pipeline.component import Component, Exporter, Processor
from pipeline.config import ConfigModel
from pipeline.errors import DeliveryError
from pipeline.registry import Kind
from pipeline.run import fuse
from pipeline.signals import Batch, Request, Signal, Value
from pipeline.signals.intake import parse
from pipeline.testing.builders import log_request, metric_request, trace_request
from pipeline.testing.clock import FakeClock
from pipeline.testing.host import make_host
from pipeline.testing.sinks import CollectingSink

_UNKNOWN_FIELD = b"\xfa\x3f\x07unknown"  # field 1023, length-delimited: no OTLP version has it

# Attribute values that have broken processors: wrong types under well-known names, JSON cut short, odd characters.
_HOSTILE: tuple[dict[str, Value], ...] = (
    {},
    {"": "", "gen_ai.operation.name": 5, "gen_ai.usage.input_tokens": "many", "gen_ai.provider.name": None},
    {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": -1, "gen_ai.request.model": ["a", {"b": b"\x00"}]},
    {"gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "cut', "llm.request.type": True},
    {"gen_ai.prompt.0.content": "\ud7ff\u202e\x00", "gen_ai.prompt.99999999999.role": 1.5, "input.value": "{" * 3000},
    {"deep": [[[[[[[[["x"]]]]]]]]], "map": {"a": {"b": {"c": None}}}, "nan": float("nan"), "big": 2**63 - 1},
    {"gen_ai.response.time_to_first_chunk": -3.0, "gen_ai.usage.output_tokens": 2**62, "penstock.dialect": 7},
)


def declaration_problems(component: type[Component], kind: Kind) -> list[str]:
    """What a component's declaration lacks: its name, its first sentence, a description for each key."""
    problems = []
    if not getattr(component, "type", ""):
        problems.append("has no `type`")
    if not issubclass(getattr(component, "Config", object), ConfigModel):
        problems.append("its Config is no ConfigModel")
        return problems
    if not (component.__doc__ or "").strip().partition("\n")[0].endswith((".", ":", ",")):
        problems.append("its docstring does not begin with a sentence that says what it does")
    problems += [f"key {path} has no description" for path in _undescribed(component.Config, ())]
    if kind is Kind.CONNECTOR and not getattr(component, "pairs", None):
        problems.append("names no pairs of signals")
    return problems


def _undescribed(model: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    return [".".join((*path, name)) for name, field in model.model_fields.items() if not field.description]


def requests(signal: Signal) -> list[bytes]:
    """Requests of a signal that every component must live through, hostile ones and unknown fields among them."""
    if signal is Signal.TRACES:
        made: list[Request] = [trace_request(*_HOSTILE), trace_request(*({"n": n} for n in range(300)))]
    elif signal is Signal.LOGS:
        made = [log_request("text", None, {"a": [1]}, "{broken", attributes=values) for values in _HOSTILE]
    else:
        made = [metric_request({"a": [1.0, float("nan")], "b": []})]
    return [request.SerializeToString() + _UNKNOWN_FIELD for request in made]


def batches(signal: Signal) -> list[Batch]:
    """`requests` as batches, each made anew."""
    return [parse(signal, raw) for raw in requests(signal)]


async def check_processor(component: type[Processor], config: Any) -> None:
    """A processor keeps what it does not drop, counts what it drops, and does not depend on how batches are cut.

    Raises:
        AssertionError: with what went wrong.
    """
    for signal in sorted(component.signals):
        whole = await _run(component, config, batches(signal))
        cut = await _run(component, config, [part for batch in batches(signal) for part in batch.split(max_items=3)])
        assert whole == cut, f"{component.type}: the result depends on batch boundaries"


async def _run(component: type[Processor], config: Any, given: Sequence[Batch]) -> list[bytes]:
    clock, sink = FakeClock(), CollectingSink()
    host = make_host(component.type, clock=clock)
    processor = component(config, host)
    entry = fuse([processor], sink, host.tasks)
    await processor.start()
    incoming = sum(batch.count for batch in given)
    for batch in given:
        await entry.consume(batch)
        await clock.settle()
    await processor.stop()
    dropped = _dropped(processor)
    assert incoming == sink.count + dropped, f"{component.type}: {incoming} in, {sink.count} out, {dropped} dropped"
    for batch in given:
        assert batch.delivery.resolved, f"{component.type}: a delivery was left open"
    for batch in sink.batches:
        assert batch.count == len(parse(batch.signal, batch.serialize()).records()), f"{component.type}: wrong count"
    if not dropped:
        kept = any(b"unknown" in batch.serialize() for batch in sink.batches)
        wanted = component.keeps_unknown_fields
        assert kept is wanted, f"{component.type}: unknown fields {'lost' if wanted else 'kept'}"
    return [_bytes(record) for batch in sink.batches for record in batch.records()]


def _bytes(record: Any) -> bytes:
    _ = record.content.message  # flushes attribute changes into the message
    return record.pb.SerializeToString(deterministic=True)  # type: ignore[no-any-return]


def _dropped(processor: Processor) -> int:
    registry = processor.host.meter.registry.collector
    return int(
        sum(
            sample.value
            for metric in registry.collect()
            for sample in metric.samples
            if sample.name == "penstock_dropped_items_total" and sample.labels["component"] == str(processor.host.id)
        )
    )


async def check_exporter(component: type[Exporter], config: Any) -> None:
    """An exporter takes every batch of its signals or raises Refused or Rejected; the batch ends once either way.

    Raises:
        AssertionError: with what went wrong.
    """
    exporter = component(config, make_host(component.type, kind=Kind.EXPORTER))
    await exporter.start()
    try:
        for signal in sorted(component.signals):
            for batch in batches(signal):
                await _export(component, exporter, batch)
    finally:
        await exporter.stop()


async def _export(component: type[Exporter], exporter: Exporter, batch: Batch) -> None:
    try:
        async with asyncio.timeout(20):
            await exporter.export(batch)
    except DeliveryError:
        return
    except Exception as error:
        raise AssertionError(f"{component.type}: export raised {type(error).__name__}") from error
    assert not batch.delivery.resolved, f"{component.type}: the delivery stage ends batches, not the exporter"


async def check_life(make: Callable[[], Component]) -> None:
    """A component can be built and stopped without a start, and started and stopped, leaving no task behind.

    Raises:
        AssertionError: with what went wrong.
    """
    before = asyncio.all_tasks()
    await make().stop()
    component = make()
    await component.start()
    await component.stop()
    await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not left, f"{component.host.id}: tasks left after stop: {[task.get_name() for task in left]}"
