"""Limits that cannot work are refused at start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.limits.config import LimitsConfig, content_keys


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"max_attribute_bytes": 127}, "at least 128"),
        ({"max_attribute_bytes": -1}, "greater than or equal to 0"),
        ({"max_span_bytes": 1000}, "at least 1024"),
        ({"max_trace_bytes": 5000}, "at least 65536"),
        ({"attributes": {"a": {"max_bytes": 5}}}, "greater than or equal to 128"),
        ({"marker": 'a"b'}, "printable characters without quotes"),
        ({"marker": "a\nb"}, "printable characters without quotes"),
        ({"marker": "…" * 30}, "at most 64 bytes"),
        ({"marker": "{bytes}{bytes}"}, "once"),
        ({"over_trace": "lose"}, "'cut' or 'drop'"),
    ],
)
def test_what_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LimitsConfig(**config)


def test_defaults_are_tempos() -> None:
    config = LimitsConfig()
    assert (config.max_attribute_bytes, config.max_span_bytes, config.max_trace_bytes) == (2048, 0, 0)


def test_messages_give_way_first_unless_the_user_says_what_does() -> None:
    assert {"gen_ai.input.messages", "input.value", "gen_ai.prompt.*"} <= set(LimitsConfig().yielding())
    assert LimitsConfig(cut_first=("a",)).yielding() == ("a",)
    assert len(set(content_keys())) == len(content_keys())
