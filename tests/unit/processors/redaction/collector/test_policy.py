"""The Collector's rules: what stands for a match, and in which order rules count. The real Collector is the judge in
`tests/integration/test_redaction_like_the_collector.py`; here is what its tested release does not have yet.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
import re2

from pipeline.signals import LogRecord, Span
from pipeline.testing import configured, logs, make_host, metric_value, traces
from processors.redaction.collector.policy import CollectorPolicy, replace_all
from processors.redaction.config import RedactionConfig
from processors.redaction.processor import Redaction

KEY = "k" * 64


def policy(**config: Any) -> CollectorPolicy:
    return CollectorPolicy(RedactionConfig.model_validate(config))


@pytest.mark.parametrize(("name", "digest"), [("hmac-sha256", "sha256"), ("hmac-sha512", "sha512")])
def test_hmac_functions(name: str, digest: str) -> None:
    masked = policy(blocked_values=["[0-9]+"], hash_function=name, hmac_key=KEY).mask_matches("card 4111")
    assert masked == f"card {hmac.new(KEY.encode(), b'4111', digest).hexdigest()}"


def test_sha3_is_the_one_of_256_bits() -> None:
    assert policy(hash_function="sha3").mask_whole("x") == hashlib.sha3_256(b"x").hexdigest()


@pytest.mark.parametrize(
    ("expression", "text", "replaced"),
    [
        ("b*", "abc", "XaXcX"),
        ("b*", "bb", "X"),
        ("^", "ab", "Xab"),
        ("$", "ab", "abX"),
        ("é+", "cafééx", "cafXx"),
        (".", "a\nb", "X\nX"),
    ],
)
def test_empty_matches_behind_a_match_are_none(expression: str, text: str, replaced: str) -> None:
    assert replace_all(re2.compile(expression), text, lambda _match: "X") == replaced


def test_a_blocked_key_masks_each_line() -> None:
    assert policy().mask_whole("a\n\nb") == "****\n****\n****"


def test_expressions_are_applied_in_their_order() -> None:
    assert policy(blocked_values=["secret-[0-9]+", "secret"], hash_function="").mask_matches("secret-1 secret") == (
        "**** ****"
    )


def test_every_summary_attribute_survives_a_list_of_allowed_keys() -> None:
    assert not policy(allowed_keys=["a"]).deletes_key("redaction.body.masked.keys")


def test_names_links_and_status_are_left_as_the_collector_leaves_them() -> None:
    batch = traces({"a": "secret"}, name="secret")
    message = batch.message.resource_spans[0].scope_spans[0].spans[0]  # type: ignore[union-attr]
    message.status.message = "secret"
    message.links.add().attributes.add(key="a").value.string_value = "secret"
    processor: Redaction = configured(Redaction, allow_all_keys=True, blocked_values=["secret"])
    processor.process(batch)
    span = batch.records()[0]
    assert isinstance(span, Span)
    assert (span.name, span.status_message, span.links[0].attributes["a"]) == ("secret", "secret", "secret")
    assert span.attributes == {"a": "****"}


def test_what_the_rules_did_is_counted() -> None:
    host = make_host("redaction")
    processor: Redaction = configured(Redaction, host, allowed_keys=["a"], blocked_values=["secret"])
    processor.process(traces({"a": "secret", "b": 1, "c": 2}))

    def counted(action: str) -> float:
        labels = {"entity": "BLOCKED", "action": action, "place": "attributes"}
        return metric_value(host, "penstock_redaction_values_total", **labels)

    assert counted("mask") == 1.0
    assert counted("drop") == 2.0


def test_a_body_that_is_left_alone_keeps_its_type() -> None:
    batch = logs({"n": 1, "f": 0.5, "s": "x", "l": [1, None]})
    processor: Redaction = configured(Redaction, allow_all_keys=True, blocked_values=["secret"])
    processor.process(batch)
    record = batch.records()[0]
    assert isinstance(record, LogRecord)
    assert record.body == {"n": 1, "f": 0.5, "s": "x", "l": [1, None]}
