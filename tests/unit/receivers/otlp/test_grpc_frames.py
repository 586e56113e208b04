"""What a client says beside its message."""

from __future__ import annotations

from pipeline.receivers.otlp.grpc_frames import metadata_of


def test_metadata() -> None:
    headers = [(":path", "/p"), (":authority", "h"), ("te", "trailers"), ("a", "1,2"), ("b-bin", "YQ,Yg=="), ("a", "3")]
    assert metadata_of(headers) == {":authority": ("h",), "a": ("1,2", "3"), "b-bin": ("a", "b")}


def test_bytes_that_are_no_base64_stay_as_they_are() -> None:
    assert metadata_of([("a-bin", "é,a")]) == {"a-bin": ("é", "a")}


def test_many_values_of_one_name() -> None:
    """A stranger may send them: work that grows with their square would hold the event loop for minutes here."""
    many = 400_000
    assert len(metadata_of([("a-bin", "," * many)])["a-bin"]) == many + 1
