"""What a configuration means, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.effective import dump
from processors.redaction.config import RedactionConfig
from processors.redaction.knowledge.entities import select_entities


def test_without_any_key_the_default_policy_holds() -> None:
    assert RedactionConfig().entity_types == select_entities("default")
    assert not RedactionConfig().has_collector_keys


def test_with_only_collector_keys_no_entity_is_looked_for() -> None:
    config = RedactionConfig.model_validate({"allow_all_keys": True})
    assert config.entity_types == frozenset()
    assert config.has_collector_keys


def test_entities_beside_collector_keys_hold_both() -> None:
    config = RedactionConfig.model_validate({"entities": ["EMAIL"], "allow_all_keys": True, "summary": "info"})
    assert config.entity_types == {"EMAIL"}
    assert config.has_collector_keys


def test_limits_alone_do_not_change_the_mode() -> None:
    config = RedactionConfig.model_validate({"max_value_bytes": 1000, "max_value_hits": 5})
    assert config.entity_types == select_entities("default")
    assert not config.has_collector_keys


@pytest.mark.parametrize("keys", [{"summary": "debug"}, {"hmac_key": "k"}, {"summary": "debug", "hmac_key": "k"}])
def test_common_keys_alone_are_the_collectors(keys: dict[str, Any]) -> None:
    config = RedactionConfig.model_validate(keys)
    assert (config.has_collector_keys, config.has_entities) == (True, False)


@pytest.mark.parametrize("own", [{"entities": "all"}, {"dry_run": True}, {"action": "hash"}, {"max_value_hits": 5}])
def test_common_keys_beside_one_of_ours_serve_entities(own: dict[str, Any]) -> None:
    config = RedactionConfig.model_validate({"summary": "debug", "hmac_key": "k" * 32, **own})
    assert (config.has_collector_keys, config.has_entities) == (False, True)


@pytest.mark.parametrize(
    "own", [{"mask": "stars"}, {"policies": [{"match": {"signals": ["traces"]}}]}, {"actions": {"EMAIL": "hash"}}]
)
def test_a_choice_beside_the_collectors_keys_holds_both(own: dict[str, Any]) -> None:
    config = RedactionConfig.model_validate({"allow_all_keys": True, **own})
    assert (config.has_collector_keys, config.has_entities) == (True, True)
    assert config.entity_types == select_entities("default")


@pytest.mark.parametrize("name", ["md5", "SHA1", "sha3"])
def test_hash_functions_in_any_case(name: str) -> None:
    assert RedactionConfig.model_validate({"hash_function": name}).hash_function == name.lower()


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"entities": "everything"}, "unknown entity type"),
        ({"entities": "all", "blocked_values": ["x"]}, "allow_all_keys: true"),
        ({"blocked_values": ["(?=x)"]}, "RE2"),
        ({"hash_function": "crc"}, "hash_function"),
        ({"hash_function": "hmac-sha256", "hmac_key": "short"}, "at least 32 bytes"),
        ({"hash_function": "hmac-sha512", "hmac_key": "x" * 63}, "at least 64 bytes"),
        ({"hash_function": "hmac-sha256"}, "at least 32 bytes"),
        ({"url_sanitizer": {"enabled": True}}, "not supported"),
        ({"db_sanitizer": {"sql": {"enabled": True}}}, "not supported"),
        ({"block_values": ["x"]}, "Extra inputs"),
        ({"max_value_bytes": 0}, "greater than or equal"),
        ({"entities": "all", "hmac_key": "short"}, "at least 32 bytes"),
        ({"allow_all_keys": True, "dry_run": True}, "no dry run"),
        ({"allow_all_keys": True, "allow": {"values": ["x"]}}, "say which ones with entities"),
        ({"allow_all_keys": True, "hash_digits": 8}, "say which ones with entities"),
        ({"hash_digits": 5}, "greater than or equal"),
        ({"action": "erase"}, "action"),
        ({"actions": {"EMIAL": "hash"}}, 'did you mean "EMAIL"'),
        ({"policies": [{"match": {"signals": ["traces"]}, "entities": ["EMIAL"]}]}, 'did you mean "EMAIL"'),
        ({"policies": [{"match": {"places": ["nowhere"]}}]}, "places"),
        ({"policies": [{"entities": "all"}]}, "match"),
        ({"policies": [{"match": {}}]}, "hold everywhere"),
        ({"entities": ""}, 'unknown entity type ""'),
        ({"mask": {"txt": "x"}}, "write stars, placeholder, or {text: ...}"),
        ({"mask": {"text": 5}}, "write stars, placeholder, or {text: ...}"),
        ({"mask": 5}, "write stars, placeholder, or {text: ...}"),
        ({"mask": {"text": "jane@example.com"}}, "would find this text again"),
        ({"mask": {"text": 'a"b'}}, "fit into JSON"),
        ({"mask": {"text": "it's"}}, "fit into JSON"),
        ({"mask": {"text": ""}}, "fit into JSON"),
        ({"rules": [{"type": "CODE", "pattern": "[a-z]+"}], "mask": {"text": "gone"}}, r"the rule rules\[0\]"),
    ],
)
def test_what_cannot_be_honoured_is_an_error(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        RedactionConfig.model_validate(config)


def test_a_sanitizer_that_is_off_is_accepted() -> None:
    databases = {"sql": {"enabled": False, "attributes": []}, "redis": {"enabled": False}, "sanitize_span_name": None}
    RedactionConfig.model_validate({"url_sanitizer": {"enabled": False, "attributes": []}, "db_sanitizer": databases})


def test_a_wrong_mask_is_one_error_where_it_stands() -> None:
    with pytest.raises(ValidationError) as raised:
        RedactionConfig.model_validate({"policies": [{"match": {"roles": ["user"]}, "mask": {"text": ""}}]})
    (error,) = raised.value.errors()
    assert (error["loc"], error["ctx"]["error"].path) == (("policies", 0, "mask"), ("text",))


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"entities": ["all", "-PHONE"], "summary": "debug"},
        {"dry_run": True},
        {"max_value_bytes": 5},
        {"summary": "debug"},
        {"allow_all_keys": False},
        {"allow_all_keys": True, "blocked_values": ["x"]},
        {"allow_all_keys": True, "max_value_bytes": 5},
        {"allowed_keys": ["a"], "action": "hash", "hmac_key": "k" * 32},
    ],
)
def test_what_print_config_prints_means_the_same(keys: dict[str, Any]) -> None:
    config = RedactionConfig.model_validate(keys)
    printed = dump(config, unredacted=True)
    again = RedactionConfig.model_validate(printed)
    assert dump(again, unredacted=True) == printed
    assert (again.has_collector_keys, again.has_entities) == (config.has_collector_keys, config.has_entities)
    assert (again.entity_types, again.deletes_all) == (config.entity_types, config.deletes_all)
