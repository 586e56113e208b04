"""What is measured: the description of a metric and the labels of its series."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from pipeline.signals import Value

Labels: TypeAlias = tuple[tuple[str, Value], ...]
Kind: TypeAlias = Literal["sum", "histogram", "exponential_histogram", "gauge"]

OVERFLOW: Final[Labels] = (("otel.metric.overflow", True),)
"""Labels of the series that takes what is beyond the limit (OpenTelemetry SDK specification, cardinality limits)."""

_MIN_SIZE: Final = 2


class Temporality(Enum):
    """Whether points count from the start of their series or from the point before. Values are OTLP's."""

    CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA

    @classmethod
    def named(cls, name: str) -> Temporality:
        """By the name that configuration files have, e.g. `AGGREGATION_TEMPORALITY_DELTA`."""
        return cls(AggregationTemporality.Value(name))


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric.

    Attributes:
        name: of the metric.
        unit: UCUM, e.g. `s`, `{token}`.
        description: one sentence.
        kind: what its series are.
        bounds: of a histogram, ascending; a bucket holds its upper bound. Bounds of the values' own type compare
            fastest.
        max_size: of an exponential histogram: buckets at most, two or more.
        monotonic: whether a sum or histogram refuses what is below zero.
        integer: whether a sum or gauge is sent as an integer (`as_int`); its values are then ints.
    """

    name: str
    unit: str = ""
    description: str = ""
    kind: Kind = "sum"
    bounds: tuple[float, ...] = ()
    max_size: int = 160
    monotonic: bool = True
    integer: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for what no series can be made of."""
        if self.max_size < _MIN_SIZE:
            raise ValueError(f"metric {self.name}: an exponential histogram needs {_MIN_SIZE} buckets or more")
        if any(high <= low for low, high in zip(self.bounds, self.bounds[1:], strict=False)):
            raise ValueError(f"metric {self.name}: bounds are not ascending")
