"""Text Generation Inference: attributes of its handlers, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


WORK = {"validation_time": "120.3µs", "queue_time": "50µs", "inference_time": "1.2s", "time_per_token": "20.1ms"}


@pytest.mark.parametrize(
    ("name", "operation", "stream"),
    [
        ("generate", "text_completion", None),
        ("generate_stream", "text_completion", True),
        ("chat_completions", "chat", None),
    ],
)
def test_handlers(name: str, operation: str, stream: bool | None) -> None:
    found = normalized(WORK, name=name)
    assert found["penstock.dialect"] == "tgi"
    assert found["gen_ai.operation.name"] == operation
    assert found.get("gen_ai.request.stream") is stream


def test_durations_are_no_counts() -> None:
    assert not [key for key in normalized(WORK, name="generate") if key.startswith("gen_ai.usage.")]
