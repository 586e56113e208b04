"""SGLang: attributes of its request tracing, by hand."""

from __future__ import annotations

from typing import Any

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "sglang server", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


def test_the_root_of_a_request_counts() -> None:
    found = normalized(
        {
            "rid": "7f2c",
            "gen_ai.usage.prompt_tokens": 40,
            "gen_ai.usage.completion_tokens": 12,
            "gen_ai.usage.cached_tokens": 32,
            "gen_ai.latency.e2e": 0.9,
            "gen_ai.response.model": "meta-llama/Llama-3.1-8B",
        }
    )
    assert found["penstock.dialect"] == "sglang"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.provider.name"] == "sglang"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (40, 12)


def test_slices_of_work_are_not_touched() -> None:
    slice_ = {"host_id": "4c1f", "pid": 7, "thread_label": "Scheduler", "tp_rank": 0}
    assert normalized(slice_) == slice_
