"""What a message offers."""

from pipeline.config.suggest import hint


def test_hint() -> None:
    assert hint("endpont", ["endpoint", "tls"]) == '; did you mean "endpoint"?'
    assert hint("OTLP", ["otlp", "debug"]) == '; did you mean "otlp"?'
    assert hint("zzz", ["b", "a"]) == "; expected one of a, b"
    assert hint("zzz", [], all_of="x") == ""
    assert hint("zzz", [f"k{n:02}" for n in range(20)], all_of="keys are").endswith("k11, ...")
