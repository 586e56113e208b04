"""Ids inside components."""

from __future__ import annotations

from typing import Annotated

from pipeline.config import ComponentId, ConfigModel, ExporterRef, ExtensionRef, PipelineId, PipelineRef
from pipeline.config.references import references
from pipeline.config.types import Reference
from tests.unit.config.fakes import Loader, Problems

USE = "service: {pipelines: {traces: {exporters: [otlp_grpc]}}}\nexporters: {otlp_grpc: {endpoint: a, ref: storage}}\n"


def test_a_reference_must_be_started(problems_of: Problems) -> None:
    expected = 'exporters::otlp_grpc::ref: references extension "storage" which is not listed under service::extensions'
    assert problems_of(USE) == [f"2:43: {expected}"]
    assert problems_of(USE + "extensions: {storage: }") == [f"2:43: {expected}"]


def test_a_reference_that_is_started(load_text: Loader) -> None:
    head = "receivers: {otlp: {protocols: {grpc: }}}\nextensions: {storage: }\n"
    text = USE.replace("service: {", "service: {extensions: [storage], ").replace(
        "{exporters", "{receivers: [otlp], exporters"
    )
    assert load_text(head + text).service.extensions == (ComponentId("storage"),)


def test_references_of_components_not_in_use_are_free(load_text: Loader) -> None:
    text = USE.replace("[otlp_grpc]", "[debug], receivers: [otlp]").replace(
        "exporters: {otlp", "exporters: {debug: , otlp"
    )
    assert load_text("receivers: {otlp: {protocols: {grpc: }}}\n" + text).exporters


def test_references_are_found_at_any_depth() -> None:
    class Inner(ConfigModel):
        storage: ExtensionRef | None = None
        other: ComponentId | None = None

    class Outer(ConfigModel):
        block: Inner = Inner()
        listed: tuple[Inner, ...] = ()
        pipelines: list[list[PipelineRef]] = []  # noqa: RUF012 - pydantic copies it
        dead: Annotated[ComponentId, Reference("exporters")] | None = None
        named: dict[str, ExporterRef] = {}  # noqa: RUF012 - pydantic copies it

    config = Outer.model_validate(
        {
            "block": {"storage": "a", "other": "never"},
            "listed": [{}, {"storage": "b"}],
            "pipelines": [["traces/x"]],
            "dead": "c",
            "named": {"k": "d"},
        }
    )
    assert [(path, value, mark.kind) for path, value, mark in references(config)] == [
        (("block", "storage"), ComponentId("a"), "extensions"),
        (("listed", 1, "storage"), ComponentId("b"), "extensions"),
        (("pipelines", 0, 0), PipelineId("traces", "x"), "pipelines"),
        (("dead",), ComponentId("c"), "exporters"),
        (("named", "k"), ComponentId("d"), "exporters"),
    ]
