"""Labels from resources, scopes, attributes and exemplars."""

from __future__ import annotations

import pytest

from pipeline.prometheus.labels import BadLabel, exemplar, identity, target_labels, translate
from pipeline.signals import Value


def test_values_become_text() -> None:
    labels: dict[str, str] = {}
    attributes: dict[str, Value] = {"a.b": True, "n": 1.5, "l": ["x"], "none": None}
    translate(attributes.items(), labels, utf8=False)
    assert labels == {"a_b": "true", "n": "1.5", "l": '["x"]', "none": ""}


@pytest.mark.parametrize("order", [("k.a", "k_a"), ("k_a", "k.a")])
def test_keys_that_become_one_are_joined_in_key_order(order: tuple[str, str]) -> None:
    labels: dict[str, str] = {}
    translate([(key, key) for key in order], labels, utf8=False)
    assert labels == {"k_a": "k.a;k_a"}


def test_a_key_of_which_nothing_is_left() -> None:
    with pytest.raises(BadLabel, match="日"):
        translate([("日", 1)], {}, utf8=False)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"service.name": "shop"}, {"job": "shop"}),
        ({"service.name": "shop", "service.namespace": "eu"}, {"job": "eu/shop"}),
        ({"service.namespace": "eu", "service.instance.id": 7}, {"instance": "7"}),
        ({}, {}),
    ],
)
def test_identity(resource: dict[str, Value], expected: dict[str, str]) -> None:
    assert identity(resource) == expected


def test_target_labels_need_somebody_and_something() -> None:
    assert target_labels({"service.name": "shop"}, utf8=False) == ()
    assert target_labels({"host.name": "h"}, utf8=False) == ()
    both: dict[str, Value] = {"service.name": "shop", "host.name": "h"}
    assert target_labels(both, utf8=False) == (("host_name", "h"), ("job", "shop"))
    assert target_labels(both, utf8=True) == (("host.name", "h"), ("job", "shop"))


def test_exemplar_keeps_its_trace_and_drops_what_openmetrics_has_no_room_for() -> None:
    small = exemplar(b"\1" * 16, b"\2" * 8, {"user.id": "u"}, 1.5, 2_000_000_000)
    assert dict(small.labels) == {"trace_id": "01" * 16, "span_id": "02" * 8, "user_id": "u"}
    assert (small.value, small.time_s) == (1.5, 2.0)
    large = exemplar(b"\1" * 16, b"\2" * 8, {"user.id": "u" * 100}, 1.5, 0)
    assert dict(large.labels) == {"trace_id": "01" * 16, "span_id": "02" * 8}
    assert large.time_s is None
    assert exemplar(b"", b"", {}, 1.0, 0).labels == ()
