"""Who speaks: scope, then markers, then shapes."""

from __future__ import annotations

import pytest

from processors.gen_ai_normalizer.knowledge.rules import load_rules, parse_rules
from processors.gen_ai_normalizer.programs.recognition import Recognition, ScopeId

SCHEMA = "https://opentelemetry.io/schemas/1.37.0"


@pytest.mark.parametrize(
    ("scope", "schema_url", "keys", "dialects"),
    [
        ("opentelemetry.instrumentation.openai_v2", SCHEMA, ["gen_ai.system"], ("opentelemetry",)),
        ("opentelemetry.instrumentation.openai_agents", SCHEMA, ["gen_ai.system"], ("opentelemetry",)),
        ("opentelemetry.instrumentation.openai_agents", "", ["gen_ai.system"], ("openllmetry",)),
        ("my.tracer", "", ["gen_ai.request.model"], ("opentelemetry",)),
        ("my.tracer", "", ["openinference.span.kind", "gen_ai.request.model"], ("openinference",)),
        ("my.tracer", "", ["gen_ai.prompt.0.content"], ("openllmetry",)),
        ("litellm", "", ["gen_ai.prompt.0.content"], ("litellm",)),
        ("ai", "", ["ai.operationId", "langfuse.observation.type"], ("vercel", "langfuse")),
        ("opentelemetry.instrumentation.httpx", SCHEMA, ["http.method"], ()),
        ("azure.core.tracing.ext.opentelemetry_span", SCHEMA, ["gen_ai.request.model"], ("azure_ai",)),
        ("azure.core.tracing.ext.opentelemetry_span", SCHEMA, ["az.namespace"], ()),
        ("logfire.openai", "", ["request_data"], ("logfire",)),
        ("logfire.fastapi", "", ["http.method", "logfire.msg"], ()),
        ("my.shop", "", ["http.method", "request_data", "validation_time", "sk.id", "edge_group.x"], ()),
        ("ai", "", ["http.method", "name", "model", "input", "output", "messages", "metadata", "session.id"], ()),
        ("gen_ai", "", ["db.system", "llm_score", "prompt", "tokens", "agent_name", "tool_arguments"], ()),
    ],
)
def test_dialects(scope: str, schema_url: str, keys: list[str], dialects: tuple[str, ...]) -> None:
    found = Recognition(load_rules()).dialects(ScopeId(scope, schema_url), keys)
    assert found == dialects or (set(found) == set(dialects) and found[0] == dialects[0])


def test_a_mistake_in_a_data_file_names_the_file() -> None:
    with pytest.raises(ValueError, match=r"mine\.yaml"):
        parse_rules("dialect: mine\nscope: [x]", "mine.yaml")


def test_every_source_of_a_dialect_fills_a_known_target() -> None:
    from processors.gen_ai_normalizer.knowledge.rules import load_table

    known = set(load_table("targets"))
    for rule in load_rules():
        for attributes in (rule.attributes, *(case.attributes for case in rule.cases)):
            assert set(attributes) <= known, rule.dialect
