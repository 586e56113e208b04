"""Details of a gRPC status, and a backend's words in our log."""

from __future__ import annotations

import pytest

from pipeline.errors import Code, Refused, Rejected
from pipeline.exporters.otlp_answers import clip, error_of_status, retry_delay_s
from tests.unit.exporters.grpc_server import status_of


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        (None, None),
        (b"", None),
        (b"\xff\xff", None),
        (status_of(8, "x"), None),
        (status_of(8, "x", retry_s=0.0), 0.0),
        (status_of(8, "x", retry_s=1.5), 1.5),
        (status_of(8, "x", retry_s=-1.0), 0.0),
    ],
)
def test_the_wait_in_retry_info(details: bytes | None, seconds: float | None) -> None:
    assert retry_delay_s(details) == seconds


def test_retry_info_of_zero_makes_exhaustion_retryable_without_a_wait() -> None:
    error = error_of_status(Code.RESOURCE_EXHAUSTED, "x", status_of(8, "x", retry_s=0.0))

    assert isinstance(error, Refused)
    assert error.retry_after_s is None


def test_exhaustion_without_retry_info_is_about_the_request() -> None:
    error = error_of_status(Code.RESOURCE_EXHAUSTED, "x", status_of(8, "x"))

    assert isinstance(error, Rejected)
    assert error.divisible


@pytest.mark.parametrize(
    ("text", "line"), [(None, ""), ("a\nb\x00", "a b "), ("x" * 300, "x" * 300), ("x" * 301, "x" * 300 + "...")]
)
def test_a_backends_words_are_clipped_to_one_printable_line(text: str | None, line: str) -> None:
    assert clip(text) == line
