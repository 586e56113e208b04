"""What the keys of the configuration do: types, actions, masks, policies, allow lists, dry runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.component import Host
from pipeline.signals import LogRecord, Span
from pipeline.testing import configured, logs, make_host, metric_value, traces
from processors.redaction.processor import Redaction
from processors.redaction.treatments.policies import compile_policies

MAIL = "jane.sample@example.com"
CARD = "4242 4242 4242 4242"
SSN = "078-05-1120"
TEXT = f"{MAIL}, card {CARD}, ssn {SSN}"
KEY = "a key of at least thirty-two bytes"


def redacted(text: str, **config: Any) -> str:
    return str(attributes({"text": text}, **config)["text"])


def attributes(values: dict[str, Any], host: Host | None = None, **config: Any) -> dict[str, Any]:
    batch = traces(values)
    configured(Redaction, host, **config).process(batch)
    return dict(batch.records()[0].attributes)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"entities": ["EMAIL"]}, f"<EMAIL>, card {CARD}, ssn {SSN}"),
        ({"entities": ["payment"]}, f"{MAIL}, card <CREDIT_CARD>, ssn {SSN}"),
        ({"entities": ["default", "-contact"]}, f"{MAIL}, card <CREDIT_CARD>, ssn <US_SSN>"),
        ({"mask": "stars"}, "***********************, card *******************, ssn ***********"),
        ({"mask": {"text": "[gone]"}}, "[gone], card [gone], ssn [gone]"),
        ({"action": "partial"}, "****.******@******e.com, card **** **** **** 4242, ssn ***-**-*120"),
        ({"actions": {"EMAIL": "keep"}}, f"{MAIL}, card <CREDIT_CARD>, ssn <US_SSN>"),
        ({"action": "keep", "actions": {"payment": "partial"}}, f"{MAIL}, card **** **** **** 4242, ssn {SSN}"),
        ({"actions": {"payment": "keep", "CREDIT_CARD": "mask"}}, "<EMAIL>, card <CREDIT_CARD>, ssn <US_SSN>"),
    ],
)
def test_types_actions_and_masks(config: dict[str, Any], expected: str) -> None:
    assert redacted(TEXT, **config) == expected


def test_drop_removes_the_attribute_and_masks_where_there_is_none() -> None:
    batch = traces({"a": TEXT, "nested": {"deep": [MAIL]}, "b": "fine"}, name=f"mail {MAIL}")
    configured(Redaction, actions={"EMAIL": "drop"}).process(batch)
    span = batch.records()[0]
    assert isinstance(span, Span)
    assert span.attributes.keys() == {"b", "penstock.redaction.count"}
    assert span.name == "mail <EMAIL>"


@pytest.mark.parametrize("spelling", [CARD, CARD.replace(" ", ""), CARD.replace(" ", "-")])
def test_hash_gives_the_same_pseudonym_for_all_spellings(spelling: str) -> None:
    found = redacted(f"card {spelling}", action="hash", hmac_key=KEY)
    assert re.fullmatch("card <CREDIT_CARD:[0-9a-f]{6}>", found)
    assert found == redacted(f"card {CARD}", action="hash", hmac_key=KEY)


def test_hash_depends_on_key_and_digits() -> None:
    by_key = {redacted(MAIL, action="hash", hmac_key=f"{KEY}{number}") for number in range(4)}
    assert len(by_key) == 4
    assert re.fullmatch("<EMAIL:[0-9a-f]{32}>", redacted(MAIL, action="hash", hash_digits=32))


def test_hash_of_an_escaped_value_is_that_of_the_value() -> None:
    plain = redacted(MAIL, action="hash", hmac_key=KEY)
    assert redacted(r'{"to": "\u006aane.sample@example.com"}', action="hash", hmac_key=KEY) == f'{{"to": "{plain}"}}'
    assert redacted("to=jane.sample%40example.com&x", action="hash", hmac_key=KEY) == f"to={plain}&x"


def test_without_a_key_all_instances_use_one_random_key() -> None:
    assert redacted(MAIL, action="hash") == redacted(MAIL, action="hash", entities="all")


@pytest.mark.parametrize("values", [[MAIL], [MAIL.upper()]])
def test_allowed_values_stay(values: list[str]) -> None:
    assert redacted(TEXT, allow={"values": values}) == f"{MAIL}, card <CREDIT_CARD>, ssn <US_SSN>"


def test_allowed_patterns_match_whole_values() -> None:
    assert redacted(f"{MAIL} x{MAIL}", allow={"patterns": [r"jane\..*@example\.com"]}) == f"{MAIL} <EMAIL>"


def test_an_allowed_value_is_allowed_however_it_is_written() -> None:
    text = '{"to": "jane.sample\\u0040example.com"}'
    assert redacted(text, allow={"values": [MAIL]}) == text


def test_dry_run_counts_and_changes_nothing() -> None:
    host = make_host("redaction")
    values = {"text": TEXT, "user.id": MAIL}
    assert attributes(values, host, dry_run=True, actions={"EMAIL": "drop"}) == {
        **values,
        "penstock.redaction.count": 4,
    }
    labels = {"entity": "EMAIL", "action": "dry_run", "place": "span"}
    assert metric_value(host, "penstock_redaction_values_total", **labels) == 2


def test_a_dry_run_keeps_what_cannot_be_examined() -> None:
    host = make_host("redaction")
    assert attributes({"text": TEXT}, host, dry_run=True, max_value_bytes=8)["text"] == TEXT
    assert metric_value(host, "penstock_redaction_failures_total", reason="limit", place="span") == 1


def test_a_dry_run_drops_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError

    for dry_run, left in ((True, 1), (False, 0)):
        processor = configured(Redaction, dry_run=dry_run)
        monkeypatch.setattr(processor._stages[0], "_texts_of_record", fail)
        batch = traces({"text": TEXT})
        processor.process(batch)
        assert len(batch.records()) == left


@pytest.mark.parametrize(
    ("summary", "added"),
    [
        ("", {}),
        ("info", {"redaction.masked.count": 2, "redaction.redacted.count": 1}),
        (
            "debug",
            {
                "redaction.masked.keys": "b,to: <EMAIL>",
                "redaction.masked.count": 2,
                "redaction.redacted.keys": "card",
                "redaction.redacted.count": 1,
            },
        ),
    ],
)
def test_summary_beside_entities(summary: str, added: dict[str, Any]) -> None:
    values = {"b": MAIL, f"to: {MAIL}": MAIL, "card": CARD, "c": "fine"}
    new = attributes(values, entities="default", actions={"CREDIT_CARD": "drop"}, summary=summary)
    assert {key: value for key, value in new.items() if key.startswith("redaction.")} == added


def test_summary_of_a_body() -> None:
    batch = logs(f"mail {MAIL}")
    configured(Redaction, entities="default", summary="debug").process(batch)
    assert batch.records()[0].attributes["redaction.body.masked.keys"] == "body"


def test_failures_are_counted_with_their_reason() -> None:
    host = make_host("redaction")
    assert attributes({"text": TEXT}, host, max_value_bytes=8)["text"] == "<REDACTED>"
    assert metric_value(host, "penstock_redaction_failures_total", reason="limit", place="span") == 1


# --- policies


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({"attributes": ["^gen_ai"]}, True),
        ({"attributes": ["^llm", "messages$"]}, True),
        ({"attributes": ["^messages"]}, False),
        ({"signals": ["traces"]}, True),
        ({"signals": ["logs", "metrics"]}, False),
        ({"places": ["span"]}, True),
        ({"places": ["event", "log.body"]}, False),
        ({"pipelines": ["traces/in"]}, True),
        ({"pipelines": ["traces/out"]}, False),
        ({"signals": ["traces"], "attributes": ["^llm"]}, False),
    ],
)
def test_where_a_policy_holds(match: dict[str, Any], holds: bool) -> None:
    host = make_host("redaction")
    host.pipeline = "traces/in"
    policy = {"match": match, "mask": "stars"}
    new = attributes({"gen_ai.input.messages": MAIL}, host, policies=[policy])["gen_ai.input.messages"]
    assert new == ("*" * len(MAIL) if holds else "<EMAIL>")


def test_a_policy_holds_for_log_bodies() -> None:
    batch = logs(f"mail {MAIL}", attributes={"to": MAIL})
    policy = {"match": {"places": ["log.body"]}, "entities": ["-EMAIL"]}
    configured(Redaction, policies=[policy]).process(batch)
    record = batch.records()[0]
    assert isinstance(record, LogRecord)
    assert (record.body, record.attributes["to"]) == (f"mail {MAIL}", "<EMAIL>")


def test_a_policy_holds_for_the_messages_of_a_role() -> None:
    messages = f'[{{"role": "user", "content": "{MAIL}"}}, {{"role": "assistant", "content": "{MAIL}"}}]'
    policy = {"match": {"roles": ["user"]}, "action": "partial"}
    assert attributes({"gen_ai.input.messages": messages}, policies=[policy])["gen_ai.input.messages"] == (
        '[{"role": "user", "content": "****.******@******e.com"}, {"role": "assistant", "content": "<EMAIL>"}]'
    )


def test_the_first_policy_that_holds_decides() -> None:
    policies = [
        {"match": {"attributes": ["^a$"]}, "entities": ["EMAIL"]},
        {"match": {"attributes": ["^[ab]$"]}, "mask": {"text": "[gone]"}},
    ]
    new = attributes({"a": TEXT, "b": MAIL, "c": MAIL}, policies=policies)
    assert (new["a"], new["b"], new["c"]) == (f"<EMAIL>, card {CARD}, ssn {SSN}", "[gone]", "<EMAIL>")


def test_what_a_policy_says_goes_before_all_of_the_top_level() -> None:
    config: dict[str, Any] = {
        "mask": "stars",
        "actions": {"EMAIL": "partial", "US_SSN": "keep"},
        "policies": [{"match": {"attributes": ["^b$"]}, "action": "mask", "actions": {"payment": "keep"}}],
    }
    new = attributes({"a": TEXT, "b": TEXT}, **config)
    assert new["a"] == f"****.******@******e.com, card *******************, ssn {SSN}"
    assert new["b"] == f"***********************, card {CARD}, ssn ***********"


def test_a_policy_that_only_takes_out_starts_from_the_top_level() -> None:
    config = {"entities": ["EMAIL", "US_SSN"], "policies": [{"match": {"signals": ["traces"]}, "entities": ["-EMAIL"]}]}
    assert redacted(TEXT, **config) == f"{MAIL}, card {CARD}, ssn <US_SSN>"


def test_a_policy_may_look_for_more_than_the_top_level() -> None:
    policy = {"match": {"attributes": ["^client"]}, "entities": ["default", "IP_ADDRESS"]}
    new = attributes({"client": "203.0.113.42", "server": "203.0.113.42"}, policies=[policy])
    assert (new["client"], new["server"]) == ("<IP_ADDRESS>", "203.0.113.42")


def test_a_place_where_nothing_is_looked_for_has_no_treatment() -> None:
    policies = compile_policies(
        Redaction.Config(policies=[{"match": {"places": ["span"]}, "action": "keep"}]), "", b"k"
    )
    assert policies.treatment("traces", "span", "a") is None
    assert policies.treatment("traces", "span.name") is policies.base
    assert not policies.by_role


def test_ids_become_pseudonyms_whatever_the_action_but_drop() -> None:
    policies = compile_policies(Redaction.Config(actions={"EMAIL": "drop", "US_SSN": "keep"}), "", b"k" * 32)
    treatment = policies.identity(policies.base)
    assert (treatment.action("EMAIL"), treatment.action("CREDIT_CARD")) == ("drop", "hash")
    assert treatment.action("US_SSN") == "keep"
    assert policies.identity(policies.base) is treatment
