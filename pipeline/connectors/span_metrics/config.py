"""Configuration of the `span_metrics` connector: the Collector's keys (spanmetricsconnector), and a limit of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, refused
from pipeline.config.types import ANY_CASE

SERVICE_NAME: Final = "service.name"
SPAN_NAME: Final = "span.name"
SPAN_KIND: Final = "span.kind"
STATUS_CODE: Final = "status.code"
BUILT_IN: Final = (SERVICE_NAME, SPAN_NAME, SPAN_KIND, STATUS_CODE)
"""Dimensions that every series has unless they are excluded."""

_BUCKETS_MS: Final = (2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1000, 1400, 2000, 5000, 10_000, 15_000)
_MAX_SIZES: Final = range(2, 16385)
_DEFAULT_SIZE: Final = 160


class Dimension(ConfigModel):
    """An attribute that becomes a label."""

    name: str = Field(description="Attribute of the span, or else of the resource.")
    default: str | None = Field(None, description="Value where neither has it; without one there is no label.")
    glob: str = refused("name each attribute in an item of its own", accept=("",), default="")


class ExplicitBuckets(ConfigModel):
    """Buckets with given bounds."""

    null_is_absent: ClassVar[bool] = True

    buckets: tuple[Duration, ...] = Field((), description="Upper bounds, ascending.")

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if any(high <= low for low, high in zip(self.buckets, self.buckets[1:], strict=False)):
            raise InvalidKey("bounds must ascend", "buckets")
        return self


class ExponentialBuckets(ConfigModel):
    """Buckets whose widths grow."""

    null_is_absent: ClassVar[bool] = True

    max_size: int = Field(0, description="Buckets of a series at most; 0: 160.")

    @model_validator(mode="after")
    def _has_size(self) -> Self:
        if self.max_size and self.max_size not in _MAX_SIZES:
            raise InvalidKey(f"must be 0, or {_MAX_SIZES[0]} to {_MAX_SIZES[-1]}", "max_size")
        return self


class HistogramConfig(ConfigModel):
    """How durations are counted."""

    disable: bool = Field(False, description="No metric of durations.")
    unit: Annotated[Literal["ms", "s"], ANY_CASE] = Field("ms", description="Unit of durations.")
    exponential: ExponentialBuckets | None = Field(None, description="Buckets whose widths grow.")
    explicit: ExplicitBuckets | None = Field(None, description="Buckets with given bounds.")
    dimensions: tuple[Dimension, ...] = Field((), description="More dimensions of the durations.")

    @property
    def units_per_second(self) -> int:
        """1 or 1000."""
        return 1000 if self.unit == "ms" else 1

    @property
    def bounds(self) -> tuple[float, ...]:
        """Upper bounds in `unit`."""
        if self.explicit is None:
            return tuple(bound * self.units_per_second / 1000 for bound in _BUCKETS_MS)
        # By nanoseconds, so that 0.1 s are 100 ms and no more.
        return tuple(round(bound * 10**9) * self.units_per_second / 10**9 for bound in self.explicit.buckets)

    @property
    def max_size(self) -> int:
        """Buckets of an exponential histogram."""
        return (self.exponential and self.exponential.max_size) or _DEFAULT_SIZE


class ExemplarsConfig(ConfigModel):
    """Spans as examples of points."""

    enabled: bool = Field(False, description="Attach trace and span ids of some spans to points.")
    max_per_data_point: int = Field(5, ge=0, description="Exemplars of a point at most; of more spans some by chance.")


class EventsConfig(ConfigModel):
    """Whether span events are counted."""

    enabled: bool = Field(False, description="Count the events of spans.")
    dimensions: tuple[Dimension, ...] = Field(
        (), description="More dimensions of the events: attributes of the span, the event or the resource."
    )


class SpanMetricsConfig(ConfigModel):
    """What is counted from spans, by what, and how it is sent."""

    namespace: str = Field("traces.span.metrics", description="Put in front of the metrics' names, with a dot.")
    dimensions: tuple[Dimension, ...] = Field(
        (), description="More dimensions of all metrics, beside service.name, span.name, span.kind and status.code."
    )
    calls_dimensions: tuple[Dimension, ...] = Field((), description="More dimensions of the calls.")
    exclude_dimensions: tuple[Literal["service.name", "span.name", "span.kind", "status.code"], ...] = Field(
        (), description="Those of the four that series are not to have."
    )
    dimensions_cache_size: int = Field(0, description="Deprecated, without effect: use aggregation_cardinality_limit.")
    resource_metrics_cache_size: int = Field(1000, ge=1, description="Resources at most.")
    resource_metrics_key_attributes: tuple[str, ...] = Field(
        (), description="Resource attributes that tell resources apart; empty: all of them."
    )
    aggregation_temporality: Literal["AGGREGATION_TEMPORALITY_CUMULATIVE", "AGGREGATION_TEMPORALITY_DELTA"] = Field(
        "AGGREGATION_TEMPORALITY_CUMULATIVE", description="Whether values count from the start or from the last send."
    )
    histogram: HistogramConfig = Field(default_factory=HistogramConfig, description="Durations.")
    metrics_flush_interval: Duration = Field(60.0, description="Time between sends.")
    metrics_expiration: Duration = Field(
        0.0, description="Metrics of a resource without spans for so long are forgotten; 0: never."
    )
    series_expiration: Duration = Field(
        0.0, description="A series without spans for so long is forgotten; 0: never. (Later than v0.145.)"
    )
    metric_timestamp_cache_size: int | None = Field(
        None, description="With delta, series without spans that are kept, so that intervals touch; 1000."
    )
    exemplars: ExemplarsConfig = Field(default_factory=ExemplarsConfig, description="Spans as examples of points.")
    events: EventsConfig = Field(default_factory=EventsConfig, description="Whether span events are counted.")
    include_instrumentation_scope: tuple[str, ...] = Field(
        (), description="Scopes whose name and version become labels."
    )
    aggregation_cardinality_limit: int = Field(
        0, description="Series of a metric of one resource at most; the rest counts in one. 0: `series_limit` alone."
    )
    series_limit: int = Field(
        2000, ge=1, description="Series of a metric at most; the rest counts in one with `otel.metric.overflow=true`."
    )
    add_resource_attributes: bool = Field(
        True, description="Keep all resource attributes; without them, resources share their series."
    )
    include_collector_instance_id: bool = refused(
        "series would begin anew with every start; add an attribute with the processor resource", accept=(False,)
    )
    enable_metrics_sampling_method: bool = refused("every span counts as one; remove the key", accept=(False,))

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_dimensions(self.dimensions, "dimensions", "dimensions")
        if self.events.enabled:
            if not self.events.dimensions:
                raise InvalidKey("failed validating event dimensions: no dimensions configured for events", "events")
            _check_dimensions(self.events.dimensions, "event dimensions", "events", "dimensions")
        if self.histogram.explicit is not None and self.histogram.exponential is not None:
            raise InvalidKey("use either `explicit` or `exponential` buckets histogram", "histogram")
        return self

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        for key, value in (
            ("metrics_flush_interval", self.metrics_flush_interval or -1),
            ("metrics_expiration", self.metrics_expiration),
            ("series_expiration", self.series_expiration),
        ):
            if value < 0:
                raise InvalidKey(f"invalid {key}: the duration should be positive", key)
        if self.is_delta and self.idle_limit <= 0:
            raise InvalidKey(
                f"invalid delta timestamp cache size: {self.idle_limit}, the maximum number of the items in the cache "
                "should be positive",
                "metric_timestamp_cache_size",
            )
        if self.aggregation_cardinality_limit < 0:
            raise InvalidKey(
                f"invalid aggregation_cardinality_limit: {self.aggregation_cardinality_limit}, the limit should be "
                "positive",
                "aggregation_cardinality_limit",
            )
        return self

    @property
    def is_delta(self) -> bool:
        """Whether values count from the last send."""
        return self.aggregation_temporality == "AGGREGATION_TEMPORALITY_DELTA"

    @property
    def idle_limit(self) -> int:
        """With delta, series without spans that are kept."""
        return 1000 if self.metric_timestamp_cache_size is None else self.metric_timestamp_cache_size


def _check_dimensions(dimensions: Sequence[Dimension], what: str, *path: str) -> None:
    names = set(BUILT_IN)
    for dimension in dimensions:
        if dimension.name in names:
            raise InvalidKey(f"failed validating {what}: duplicate dimension name {dimension.name}", *path)
        names.add(dimension.name)
