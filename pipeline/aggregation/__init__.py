"""Metrics made in this process: values added to bounded series, series sent every so often."""

from pipeline.aggregation.aggregation import Aggregation
from pipeline.aggregation.exponential import ExponentialHistogram
from pipeline.aggregation.instrument import OVERFLOW, Instrument, Kind, Labels, Temporality
from pipeline.aggregation.numbers import LIMIT, Numbers
from pipeline.aggregation.pieces import fits_at_once, pieces_of
from pipeline.aggregation.sender import MetricsSender
from pipeline.aggregation.series import Exemplar, Gauge, Histogram, Series, Sum
from pipeline.aggregation.snapshot import Snapshot

__all__ = [
    "LIMIT",
    "OVERFLOW",
    "Aggregation",
    "Exemplar",
    "ExponentialHistogram",
    "Gauge",
    "Histogram",
    "Instrument",
    "Kind",
    "Labels",
    "MetricsSender",
    "Numbers",
    "Series",
    "Snapshot",
    "Sum",
    "Temporality",
    "fits_at_once",
    "pieces_of",
]
