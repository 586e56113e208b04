"""What is accepted, what is refused, and with which words: those of the Collector's `validate`."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline.config.loading import examine
from pipeline.connectors.span_metrics.config import SpanMetricsConfig


def problems(config: Any, connector: str = "span_metrics") -> list[str]:
    whole = {
        "receivers": {"otlp": {"protocols": {"http": {}}}},
        "connectors": {connector: config},
        "exporters": {"nop": None},
        "service": {
            "pipelines": {
                "traces": {"receivers": ["otlp"], "exporters": [connector]},
                "metrics": {"receivers": [connector], "exporters": ["nop"]},
            }
        },
    }
    return [str(problem) for problem in examine([f"yaml:{yaml.safe_dump(whole)}"]).problems]


@pytest.mark.parametrize("name", ["span_metrics", "spanmetrics", "spanmetrics/two"])
def test_both_names_and_nothing_set(name: str) -> None:
    assert problems(None, name) == []


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"dimensions": [{"name": "a"}, {"name": "a"}]}, "failed validating dimensions: duplicate dimension name a"),
        ({"dimensions": [{"name": "span.name"}]}, "failed validating dimensions: duplicate dimension name span.name"),
        ({"events": {"enabled": True}}, "failed validating event dimensions: no dimensions configured for events"),
        (
            {"events": {"enabled": True, "dimensions": [{"name": "a"}, {"name": "a"}]}},
            "failed validating event dimensions: duplicate dimension name a",
        ),
        (
            {"histogram": {"explicit": {"buckets": ["1s"]}, "exponential": {"max_size": 5}}},
            "use either `explicit` or `exponential` buckets histogram",
        ),
        ({"metrics_flush_interval": "-1s"}, "invalid metrics_flush_interval"),
        ({"metrics_flush_interval": "0s"}, "invalid metrics_flush_interval"),
        ({"metrics_expiration": "-1s"}, "invalid metrics_expiration"),
        ({"series_expiration": "-1s"}, "invalid series_expiration"),
        (
            {"aggregation_temporality": "AGGREGATION_TEMPORALITY_DELTA", "metric_timestamp_cache_size": 0},
            "invalid delta timestamp cache size: 0",
        ),
        ({"aggregation_cardinality_limit": -1}, "invalid aggregation_cardinality_limit: -1"),
        ({"exemplars": {"enabled": True, "max_per_data_point": -1}}, "max_per_data_point"),
        ({"histogram": {"unit": "h"}}, "unit"),
        ({"histogram": {"explicit": {"buckets": ["2s", "1s"]}}}, "bounds must ascend"),
        ({"histogram": {"exponential": {"max_size": 1}}}, "must be 0, or 2 to 16384"),
        ({"resource_metrics_cache_size": 0}, "resource_metrics_cache_size"),
        ({"aggregation_temporality": "DELTA"}, "aggregation_temporality"),
        ({"exclude_dimensions": ["span.nmae"]}, "exclude_dimensions"),
        ({"dimensions": [{"glob": "http.*", "name": "x"}]}, "not supported: name each attribute"),
        ({"include_collector_instance_id": True}, "not supported: series would begin anew"),
        ({"enable_metrics_sampling_method": True}, "not supported: every span counts as one"),
        ({"flush": "1s"}, "flush"),
    ],
)
def test_what_is_refused(config: dict[str, Any], text: str) -> None:
    (problem,) = problems(config)
    assert text in problem


@pytest.mark.parametrize(
    "config",
    [
        {"histogram": {"explicit": None, "exponential": None}},
        {"histogram": {"exponential": {}}},
        {"events": {"dimensions": [{"name": "a"}, {"name": "a"}]}},
        {"metric_timestamp_cache_size": 0},
        {"include_collector_instance_id": False, "enable_metrics_sampling_method": False},
        {"namespace": ""},
    ],
)
def test_what_is_accepted(config: dict[str, Any]) -> None:
    assert problems(config) == []


def test_bounds_in_the_unit_of_the_durations() -> None:
    def bounds(**histogram: Any) -> tuple[float, ...]:
        return SpanMetricsConfig.model_validate({"histogram": histogram}).histogram.bounds

    in_ms = (2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10_000, 15_000)
    assert bounds() == in_ms
    assert bounds(unit="s") == tuple(bound / 1000 for bound in in_ms)
    assert bounds(explicit={"buckets": ["100ms", "1.1s"]}) == (100.0, 1100.0)
    assert bounds(unit="S", explicit={"buckets": ["100us", "1.1s"]}) == (0.0001, 1.1)


def test_sizes_of_exponential_histograms() -> None:
    sizes = {
        given: SpanMetricsConfig.model_validate({"histogram": {"exponential": {"max_size": given}}}).histogram.max_size
        for given in (0, 2, 20)
    }
    assert sizes == {0: 160, 2: 2, 20: 20}
