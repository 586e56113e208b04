"""What is installed."""

from pipeline.config.listing import entries
from tests.unit.config.fakes import FakeCatalog


def test_entries_have_canonical_names_only(catalog: FakeCatalog) -> None:
    listed = list(entries(catalog))
    assert [(entry.kind, entry.name) for entry in listed] == [
        ("receivers", "otlp"), ("receivers", "traces_only"), ("processors", "actions"), ("exporters", "debug"),
        ("exporters", "otlp_grpc"), ("connectors", "count"), ("connectors", "forward"), ("extensions", "storage"),
    ]  # fmt: skip


def test_an_entry(catalog: FakeCatalog) -> None:
    by_name = {entry.name: entry for entry in entries(catalog)}
    assert by_name["otlp_grpc"].as_dict() == {
        "name": "otlp_grpc", "aliases": ["otlp"], "signals": ["logs", "metrics", "traces"],
        "summary": "Sends data out.",
    }  # fmt: skip
    assert by_name["count"].signals == ("traces-to-metrics",)
    assert by_name["storage"].signals == ()
