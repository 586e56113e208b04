"""Hostile requests: rejected or written, never an error of another kind."""

from __future__ import annotations

import random
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clock import SystemClock
from pipeline.errors import Rejected
from pipeline.exporters.prometheus_remote_write.collected import Collected
from pipeline.exporters.prometheus_remote_write.config import RemoteWriteConfig
from pipeline.exporters.prometheus_remote_write.translation import Translator
from pipeline.prometheus.drops import Drops
from tests.support.remote_write import write_request
from tests.unit.exporters.prometheus_remote_write.remote import NOW, Request, new_host

TRANSLATOR = Translator(RemoteWriteConfig(endpoint="http://x:1", send_metadata=True), Drops(new_host()), SystemClock())


def _request() -> bytes:
    request = Request({"service.name": "shop", "zone": "a"}, scope="lib").gauge("g", 1, 2, k="v")
    request.sum("c", 3).exemplars.add(as_double=1, trace_id=b"\1" * 16)
    histogram: Any = request.scope.metrics.add(name="h", unit="s").histogram
    histogram.aggregation_temporality = 2
    histogram.data_points.add(time_unix_nano=NOW, count=3, sum=1, explicit_bounds=[1, 2], bucket_counts=[1, 1, 1])
    exponential: Any = request.scope.metrics.add(name="e").exponential_histogram
    exponential.aggregation_temporality = 2
    exponential.data_points.add(time_unix_nano=NOW, count=3, scale=3).positive.bucket_counts.extend([1, 2])
    summary = request.scope.metrics.add(name="s").summary
    summary.data_points.add(time_unix_nano=NOW, count=1).quantile_values.add(quantile=0.5, value=1)
    return request.message.SerializeToString()


RAW = _request()


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_changed_bytes(seed: int) -> None:
    draw = random.Random(seed)
    raw = bytearray(RAW)
    for _ in range(draw.randrange(1, 6)):
        raw[draw.randrange(len(raw))] = draw.randrange(256)
    collected = Collected()
    try:
        for _ in TRANSLATOR.translate(bytes(raw), collected):
            pass
    except (Rejected, DecodeError):
        return
    for request in collected.requests(500):
        write_request(b"".join([series.encoded for series in request]))
