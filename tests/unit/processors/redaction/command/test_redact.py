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
from processors.redaction.command.redact import redact

MAIL = "jane.sample@example.com"
BLOB = base64.b64encode(f"write to {MAIL} today".encode()).decode()


class Standard(io.TextIOWrapper):
    """Standard input with a text in it."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(io.BytesIO(text if isinstance(text, bytes) else text.encode()))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(text: str | bytes, *arguments: str) -> tuple[str, list[str]]:
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
            "role": "",
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
    assert why == [f"{len(lines)}  EMAIL  in span: mask", f"{len(lines)}  EMAIL  in span.name: mask"]


def test_other_json_is_text(run: Any) -> None:
    assert run(f'{{"resource": "{MAIL}"}}', "-q")[0] == '{"resource": "<EMAIL>"}'


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--entities", "EMIAL"], 'did you mean "EMAIL"'),
        (["--entities", "Frobnicate"], "known: all, default, secret, contact, .*, AR_CUIT, AU_ABN"),
        (["--config", "FILE", "--processor", "redaction/x"], "no processor"),
        (["--config", "COLLECTOR"], "Collector's keys alone"),
    ],
)
def test_mistakes_are_errors_that_help(run: Any, tmp_path: Path, arguments: list[str], reason: str) -> None:
    collector = "COLLECTOR" in arguments
    file = str(_minimal(tmp_path, "{allow_all_keys: true}" if collector else "{}"))
    with pytest.raises(PenstockError, match=reason):
        run("", *[file if argument in ("FILE", "COLLECTOR") else argument for argument in arguments])


def test_a_label_of_the_key_is_not_printed(run: Any) -> None:
    out, why = run("078051120\n", "--attribute", "user.ssn")
    assert out == "<US_SSN>\n"
    assert why[0].startswith("1:1 (0-9)  US_SSN  rule us-ssn-labelled")


def test_a_labelled_value_beyond_a_limit(run: Any) -> None:
    limit = ("--set", "processors.redaction.max_value_bytes=5", "--attribute", "user.ssn")
    assert run("078051120", *limit, "-q")[0] == "<REDACTED>"
    assert json.loads(run("078051120", *limit, "--format", "json")[0])["text"] == "<REDACTED>"


@pytest.mark.parametrize("data", [b"caf\xe9 \xff\x00 " + MAIL.encode() + b"\r\n", b"\xed\xa0\x80", b""])
def test_bytes_that_are_no_text_stay_as_they_are(data: bytes, monkeypatch: Any, capfdbinary: Any) -> None:
    monkeypatch.setattr("sys.stdin", Standard(data))
    assert redact(["--entities", "all", "--show-values"]) == 0
    assert capfdbinary.readouterr().out == data.replace(MAIL.encode(), b"<EMAIL>")


def test_columns_are_aligned(run: Any) -> None:
    _, why = run(f"{MAIL}\n\nand a longer line with 078-05-1120\n")
    assert [line.partition(" rule")[0] for line in why] == ["1:1 (0-23)    EMAIL  ", "3:24 (48-59)  US_SSN "]


def test_settings_without_a_file(run: Any) -> None:
    assert run("x 078-05-1120", "-q", "--set", "processors.redaction.mask=stars")[0] == "x ***********"


@pytest.mark.parametrize(("place", "said"), [("span", "the attribute is removed"), ("log.body", "<EMAIL>")])
def test_where_there_is_no_attribute_nothing_is_dropped(run: Any, place: str, said: str) -> None:
    _, why = run(MAIL, "--set", "processors.redaction.action=drop", "--place", place)
    assert why[0].endswith(f"->  drop: {said}")


def test_a_dry_run_says_so(run: Any, tmp_path: Path) -> None:
    config = ("--set", "processors.redaction.dry_run=true")
    out, why = run(MAIL, *config)
    assert out == "<EMAIL>"
    assert why[1:] == ["dry_run is on: in a pipeline this is counted, and nothing is changed."]
    request = otlp_json.encode(trace_request({"to": MAIL})).decode()
    out, why = run(request, *config)
    assert MAIL in out
    assert why == ["1  EMAIL  in span: dry_run", "dry_run is on: nothing was changed."]


def test_requests_without_a_finding(run: Any) -> None:
    request = otlp_json.encode(trace_request({"to": "nobody"})).decode()
    assert run(request) == (request + "\n", ["Nothing is redacted."])


@pytest.mark.parametrize("option", [["--format", "json"], ["--candidates"], ["--attribute", "x"], ["--role", "user"]])
def test_requests_take_no_options_about_a_text(run: Any, option: list[str]) -> None:
    request = otlp_json.encode(trace_request({"to": MAIL})).decode()
    with pytest.raises(PenstockError, match=f"{option[0]} is about a single text"):
        run(request, *option)


def test_a_place_that_does_not_exist(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        run(MAIL, "--place", "body")
    assert "invalid choice: 'body'" in capsys.readouterr().err


def test_messages_are_told_apart_as_in_a_pipeline(run: Any) -> None:
    config = ("--set", "processors.redaction.policies=[{match: {roles: [system]}, action: keep}]")
    messages = json.dumps([{"role": who, "content": f"I am {MAIL}"} for who in ("system", "user")])
    out, why = run(messages, *config, "--attribute", "gen_ai.input.messages")
    assert [item["content"] for item in json.loads(out)] == [f"I am {MAIL}", "I am <EMAIL>"]
    assert [line.partition("->")[0].rstrip().rpartition(", ")[2] for line in why] == ["said by user"]
    begin = messages.rindex(MAIL)
    assert why[0].startswith(f"1:{begin + 1} ({begin}-{begin + len(MAIL)})")
    assert run(f"I am {MAIL}", *config, "-q", "--role", "system")[0] == f"I am {MAIL}"


def test_the_keys_of_the_collector_are_not_shown_on_a_text(run: Any) -> None:
    keys = ("--set", "processors.redaction.allow_all_keys=true", "--set", "processors.redaction.blocked_values=[jane]")
    out, why = run(MAIL, *keys, "--entities", "PHONE")
    assert (out, why[0]) == (MAIL, "Nothing is redacted.")
    assert why[1].endswith("applied to export requests in OTLP/JSON only.")
    request = otlp_json.encode(trace_request({"to": MAIL})).decode()
    assert "****.sample" in run(request, *keys)[0]


def test_a_value_that_its_label_says_nothing_of(run: Any) -> None:
    assert run("12345678-5", "-q", "--attribute", "customer.tax_id")[0] == "<CL_RUT>"
