"""Spans of the Model Context Protocol: what the Python SDK and FastMCP write, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], scope: str) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope)).records()
    return dict(record.attributes)


@pytest.mark.parametrize("scope", ["mcp-python-sdk", "fastmcp", "my.server"])
def test_a_tool_that_is_called(scope: str) -> None:
    found = normalized({"mcp.method.name": "tools/call", "jsonrpc.request.id": "4"}, scope)
    assert found["penstock.dialect"] == "mcp"
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert "penstock.gen_ai.role" not in found


@pytest.mark.parametrize("method", ["initialize", "tools/list", "prompts/get", "sampling/createMessage"])
def test_other_methods_are_no_operation(method: str) -> None:
    found = normalized({"mcp.method.name": method, "gen_ai.prompt.name": "greeting"}, "mcp-python-sdk")
    assert "gen_ai.operation.name" not in found
    assert "penstock.gen_ai.role" not in found
    assert found["gen_ai.prompt.name"] == "greeting"


def test_a_framework_that_calls_a_server_keeps_its_dialect() -> None:
    found = normalized({"mcp.method.name": "tools/call", "gen_ai.tool.name": "get_weather"}, "agent_framework")
    assert found["penstock.dialect"] == "agent_framework"
