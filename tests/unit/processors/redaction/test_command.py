"""`penstock redact`: what comes out, and why."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PenstockError
from pipeline.signals import otlp_json
from pipeline.testing import trace_request
from processors.redaction.command import redact

MAIL = "jane.sample@example.com"
BLOB = base64.b64encode(f"write to {MAIL} today".encode()).decode()


class Standard(io.TextIOWrapper):
    """Standard input with a text in it."""

    def __init__(self, text: str) -> None:
        super().__init__(io.BytesIO(text.encode()))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(text: str, *arguments: str) -> tuple[str, list[str]]:
        monkeypatch.setattr("sys.stdin", Standard(text))
        assert redact(arguments) == 0
        printed = capsys.readouterr()
        return printed.out, [line for line in printed.err.splitlines() if line]

    return run


def test_text_comes_out_redacted_with_the_reasons(run: Any) -> None:
    out, why = run(f"hello\nmail {MAIL}\n")
    assert out == "hello\nmail <EMAIL>\n"
    assert why == ["2:6 (11-34)  EMAIL  rule email, passed email  ->  mask: <EMAIL>"]


def test_values_are_shown_only_when_asked_for(run: Any) -> None:
    _, hidden = run(MAIL, "--candidates")
    _, shown = run(MAIL, "--show-values")
    assert MAIL not in "".join(hidden)
    assert f"value '{MAIL}'" in "".join(shown)


def test_the_word_that_let_it_pass(run: Any) -> None:
    _, why = run("postal code: 94105", "--entities", "US_ZIP")
    assert 'context "postal code"' in why[0]


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        (r'{"to": "\u006aane.sample@example.com"}', "written escaped"),
        ("to=jane.sample%40example.com&x=1", "written decoded"),
        (f"blob {BLOB} end", "written base64"),
    ],
)
def test_how_the_value_is_written(run: Any, text: str, layer: str) -> None:
    out, why = run(text)
    assert out != text
    assert layer in why[0]


def test_why_something_stays(run: Any) -> None:
    out, why = run("card 4242 4242 4242 4241", "--entities", "CREDIT_CARD", "--candidates")
    assert out == "card 4242 4242 4242 4241"
    assert why[0] == "Nothing is redacted."
    assert "1:6 (5-24)  not CREDIT_CARD  rule credit-card: the validator credit_card refuses it" in why


def test_quiet_prints_the_text_alone(run: Any) -> None:
    assert run(MAIL, "--quiet") == ("<EMAIL>", [])


def test_json_for_programs(run: Any) -> None:
    out, why = run(f"mail {MAIL}", "--format", "json", "--candidates")
    report = json.loads(out)
    assert why == []
    assert (report["text"], report["failed"]) == ("mail <EMAIL>", False)
    assert report["findings"] == [
        {
            "entity": "EMAIL",
            "rule": "email",
            "provider": "",
            "start": 5,
            "end": 28,
            "layer": "plain",
            "conditions": ["email"],
            "context": "",
            "action": "mask",
            "shown": "<EMAIL>",
        }
    ]
    assert MAIL not in out


def test_a_configuration_and_the_place_decide(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        """
receivers: {nop: }
processors:
  redaction:
    mask: stars
    rules: [{type: BADGE, pattern: 'B-[0-9]{6}', validator: luhn, context: [badge]}]
    policies: [{match: {attributes: [^keep]}, action: keep}]
exporters: {nop: }
service: {pipelines: {traces: {receivers: [nop], processors: [redaction], exporters: [nop]}}}
"""
    )
    assert run("x 078-05-1120", "--config", str(file), "-q")[0] == "x ***********"
    assert run("x 078-05-1120", "--config", str(file), "-q", "--attribute", "keep.it")[0] == "x 078-05-1120"
    assert run("x 078-05-1120", "--config", str(file), "-q", "--entities", "EMAIL,BADGE")[0] == "x 078-05-1120"
    _, why = run("B-123456", "--config", str(file), "--candidates")
    assert "1:1 (0-8)  not BADGE  rule rules[0]: the check luhn refuses it" in why


def test_ids_of_users_become_pseudonyms_and_ids_of_services_stay(run: Any) -> None:
    assert re.fullmatch("<EMAIL:[0-9a-f]{6}>", run(MAIL, "-q", "--attribute", "user.id")[0])
    assert run(MAIL, "-q", "--attribute", "gen_ai.response.id")[0] == MAIL


def test_a_value_beyond_the_limits(run: Any, tmp_path: Path) -> None:
    out, why = run(MAIL, "--set", "processors.redaction.max_value_bytes=5", "--config", f"file:{_minimal(tmp_path)}")
    assert out == "<REDACTED>"
    assert "beyond a limit" in why[0]


def _minimal(folder: Path, redaction: str = "{}") -> Path:
    file = folder / "minimal.yaml"
    file.write_text(
        f"receivers: {{nop: }}\nprocessors: {{redaction: {redaction}}}\nexporters: {{nop: }}\n"
        "service: {pipelines: {traces: {receivers: [nop], processors: [redaction], exporters: [nop]}}}\n"
    )
    return file


@pytest.mark.parametrize("form", ["one a line", "pretty"])
def test_requests_are_redacted_as_in_a_pipeline(run: Any, form: str) -> None:
    request = json.loads(
        otlp_json.encode(trace_request({"to": MAIL, "gen_ai.response.id": "078-05-1120"}, name=f"to {MAIL}"))
    )
    text = json.dumps(request, indent=2) if form == "pretty" else f"{json.dumps(request)}\n\n{json.dumps(request)}\n"
    out, why = run(text)
    lines = out.splitlines()
    assert len(lines) == (1 if form == "pretty" else 2)
    span = json.loads(lines[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert span["name"] == "to <EMAIL>"
    assert {a["key"]: a["value"].get("stringValue") for a in span["attributes"]} == {
        "to": "<EMAIL>",
        "gen_ai.response.id": "078-05-1120",
        "penstock.redaction.count": None,
    }
    assert why == [f"{len(lines)} EMAIL in span.name: mask", f"{len(lines)} EMAIL in span: mask"]


def test_other_json_is_text(run: Any) -> None:
    assert run(f'{{"resource": "{MAIL}"}}', "-q")[0] == '{"resource": "<EMAIL>"}'


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--entities", "EMIAL"], 'did you mean "EMAIL"'),
        (["--config", "FILE", "--processor", "redaction/x"], "no processor"),
        (["--config", "COLLECTOR"], "Collector's keys alone"),
    ],
)
def test_mistakes_are_errors_that_help(run: Any, tmp_path: Path, arguments: list[str], reason: str) -> None:
    collector = "COLLECTOR" in arguments
    file = str(_minimal(tmp_path, "{allow_all_keys: true}" if collector else "{}"))
    with pytest.raises(PenstockError, match=reason):
        run("", *[file if argument in ("FILE", "COLLECTOR") else argument for argument in arguments])
