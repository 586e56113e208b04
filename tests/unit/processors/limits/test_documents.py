"""JSON stays JSON, in as many bytes as it may have, and keeps what matters most."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import Signal, Span
from pipeline.signals.intake import parse
from processors.demo.recordings import load
from processors.limits.dialects import dumps_strict, read
from processors.limits.documents import GAP, Cutter, cut_any
from processors.limits.marker import Marker

MARKER = Marker("…[cut {bytes} bytes]")
LIMITS = (2048, 1024, 512, 256, 128)

scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=300)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=12), inner, max_size=8),
    max_leaves=60,
).filter(lambda document: isinstance(document, dict | list))
messages = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "user", "assistant", "tool"]),
            "parts": st.lists(
                st.fixed_dictionaries({"type": st.just("text"), "content": st.text(max_size=600)})
                | st.fixed_dictionaries(
                    {"type": st.just("tool_call"), "id": st.just("call_1"), "arguments": documents.map(json.dumps)}
                ),
                min_size=1,
                max_size=3,
            ),
        }
    ),
    min_size=1,
    max_size=30,
)


def message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def conversation(count: int, length: int) -> str:
    return json.dumps([message("assistant" if n % 2 else "user", f"{n} " + "word " * length) for n in range(count)])


def size(text: str) -> int:
    return len(text.encode())


@pytest.mark.parametrize("limit", LIMITS)
def test_a_conversation_keeps_its_ends(limit: int) -> None:
    cut = cut_any(conversation(40, 100), limit, MARKER)
    assert limit * 0.6 < size(cut) <= limit
    read = json.loads(cut)
    assert read[0]["role"] == "user"
    assert read[0]["parts"][0]["type"] == "text"
    assert sum(GAP in element for element in read) == 1
    if limit > 128:
        assert read[-1]["role"] == "assistant"
        assert read[-1]["parts"][0]["content"].startswith("39 word")


def test_long_strings_give_way_before_elements_do() -> None:
    cut = json.loads(cut_any(conversation(4, 400), 2048, MARKER))
    assert [element["role"] for element in cut] == ["user", "assistant", "user", "assistant"]
    contents = [element["parts"][0]["content"] for element in cut]
    assert all(content.endswith(" bytes]") for content in contents)
    assert len(contents[0]) > len(contents[1])
    assert len(contents[3]) > len(contents[2])


def test_short_strings_stay_beside_a_long_one() -> None:
    text = json.dumps([message("system", "Be brief."), message("user", "word " * 2000), message("assistant", "Yes.")])
    cut = json.loads(cut_any(text, 512, MARKER))
    assert cut[0] == message("system", "Be brief.")
    assert cut[2] == message("assistant", "Yes.")


def test_what_is_missing_is_said() -> None:
    content = "x" * 5000
    cut = json.loads(cut_any(json.dumps({"content": content}), 256, MARKER))["content"]
    kept, missing = MARKER.take_off(cut)
    assert len(kept) + missing == len(content)


def test_spaces_go_first() -> None:
    text = json.dumps({"numbers": list(range(60))}, indent=8)
    cut = cut_any(text, 300, MARKER)
    assert json.loads(cut) == json.loads(text)
    assert size(text) > 300 >= size(cut)


def test_escapes_become_characters_and_are_never_taken_apart() -> None:
    text = json.dumps([message("user", "\N{GRINNING FACE}" * 1000)])
    assert "\\ud83d" in text
    content = json.loads(cut_any(text, 500, MARKER))[0]["parts"][0]["content"]
    kept, _ = MARKER.take_off(content)
    assert set(kept) == {"\N{GRINNING FACE}"}


def test_json_in_a_string_stays_json() -> None:
    arguments = json.dumps({"query": "x" * 5000, "limit": 5})
    text = json.dumps({"type": "tool_call", "id": "call_1", "arguments": arguments})
    cut = json.loads(cut_any(text, 512, MARKER))
    assert (cut["type"], cut["id"]) == ("tool_call", "call_1")
    inner = json.loads(cut["arguments"])
    assert inner["limit"] == 5
    assert inner["query"].endswith(" bytes]")


def test_names_of_things_stay_when_other_members_go() -> None:
    members = {f"member_{n}": "y" * 100 for n in range(50)} | {"id": "call_7", "role": "tool"}
    cut = json.loads(cut_any(json.dumps(members), 256, MARKER))
    assert (cut["id"], cut["role"]) == ("call_7", "tool")
    assert GAP in cut


def test_numbers_keep_all_their_digits() -> None:
    text = json.dumps({"id": 12345678901234567890123456789, "flag": True, "text": "z" * 3000})
    cut = json.loads(cut_any(text, 200, MARKER))
    assert (cut["id"], cut["flag"]) == (12345678901234567890123456789, True)


def test_elements_of_numbers_lose_their_middle() -> None:
    cut = json.loads(cut_any(json.dumps(list(range(5000))), 256, MARKER))
    gaps = [index for index, element in enumerate(cut) if isinstance(element, str)]
    assert len(gaps) == 1
    head, tail = cut[: gaps[0]], cut[gaps[0] + 1 :]
    assert head == list(range(len(head)))
    assert tail == list(range(5000 - len(tail), 5000))


@pytest.mark.parametrize("text", ['{"a": "\\ud800 lone", "b": "%s"}', '{"a": NaN, "b": "%s"}'])
def test_what_only_python_reads_is_cut_in_its_way(text: str) -> None:
    cut = cut_any(text % ("x" * 1000), 200, MARKER)
    assert size(cut) <= 200
    assert json.loads(cut)["b"].startswith("xxx")


@pytest.mark.parametrize(
    "text", ["[not json" + "x" * 500, '{"a": "b' + "x" * 500, "{'python': 'dict'}" * 50, "[" * 3000, "x" * 500]
)
def test_what_is_no_json_is_cut_at_its_end(text: str) -> None:
    cut = cut_any(text, 200, MARKER)
    assert size(cut) <= 200
    assert text.startswith(MARKER.take_off(cut)[0])


def test_a_smaller_limit_counts_on() -> None:
    text = json.dumps([message("user", "x" * 5000)])
    content = json.loads(cut_any(cut_any(text, 1000, MARKER), 200, MARKER))[0]["parts"][0]["content"]
    kept, missing = MARKER.take_off(content)
    assert len(kept) + missing == 5000


@pytest.mark.parametrize(
    "text",
    [
        "[" * 900 + "]" * 900,
        "[" * 200_000 + "]" * 200_000,
        '{"a":' * 900 + "1" + "}" * 900,
        '{"a":' * 50_000 + '"' + "x" * 1000 + '"' + "}" * 50_000,
        "[" * 40 + json.dumps("x" * 3000) + "]" * 40,
    ],
    ids=["900 arrays", "200000 arrays", "900 objects", "50000 objects", "40 arrays"],
)
@pytest.mark.parametrize("limit", [2048, 200])
def test_nested_without_end(text: str, limit: int) -> None:
    cut = cut_any(text, limit, MARKER)
    assert size(cut) <= limit
    json.loads(cut)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: json.dumps(["x" * 10] * n),
        lambda n: json.dumps({f"key {i}": "x" * 50 for i in range(n)}),
        lambda n: json.dumps([[["x" * 20] * 10] * 10] * (n // 100)),
        lambda n: json.dumps("\\" * n * 10),
        lambda n: "[" * 30 + json.dumps("y" * 10 * n) + "]" * 30,
    ],
    ids=["elements", "members", "nested", "escapes", "deep"],
)
def test_work_grows_with_the_text_and_no_faster(make: Callable[[int], str]) -> None:
    """What is written to be measured, in bytes, and how often."""
    measured: list[int] = []

    def dumps(value: Any) -> bytes:
        raw = dumps_strict(value)
        measured.append(len(raw))
        return raw

    costs = []
    for count in (2_000, 16_000):
        text = make(count)
        measured.clear()
        Cutter(MARKER, dumps).document(orjson.loads(text), 1024)
        costs.append(sum(measured) / len(text))
        assert len(measured) < 3_000 + count // 2
    assert costs[1] < 1.5 * costs[0] + 1
    assert costs[1] < 64


def test_json_in_json_in_json_does_not_multiply_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender may nest strings as deep as it likes; each level tries several sizes for what is in it."""
    reads: list[int] = []

    def counting(text: str) -> Any:
        reads.append(len(text))
        return read(text)

    monkeypatch.setattr("processors.limits.documents.read", counting)
    text = json.dumps("y" * 3000)
    for _ in range(12):
        text = json.dumps([text])
    for limit in (512, 2048, 8192):
        reads.clear()
        cut = cut_any(text, limit, MARKER)
        assert size(cut) <= limit
        assert isinstance(json.loads(json.loads(cut)[0]), list)
        assert sum(reads) < 12 * len(text) + (1 << 16)


@given(documents, st.integers(2, 1500), st.booleans())
@settings(max_examples=100, deadline=None)
def test_any_document_under_any_limit(document: Any, limit: int, escaped: bool) -> None:
    text = json.dumps(document, ensure_ascii=escaped)
    cut = cut_any(text, limit, MARKER)
    assert size(cut) <= limit
    assert type(json.loads(cut)) is type(document)
    assert size(cut) <= size(text)
    assert cut_any(cut, limit, MARKER) == cut


@given(messages, st.integers(128, 3000))
@settings(max_examples=40, deadline=None)
def test_any_conversation_under_any_limit(messages: list[dict[str, Any]], limit: int) -> None:
    text = json.dumps(messages)
    read = json.loads(cut_any(text, limit, MARKER))
    assert len(read) <= len(messages)
    assert read[0].get("role") == messages[0]["role"]
    assert sum(list(element) == [GAP] for element in read) <= 1


@cache
def recorded_texts() -> frozenset[str]:
    """What real instrumentations wrote into attributes, where it is long."""
    records = [
        record
        for recording in load()
        for export in recording.exports()
        if export.signal != "metrics"
        for record in parse(Signal(export.signal), export.message().SerializeToString()).records()
    ]
    views = [*records, *(event for record in records if isinstance(record, Span) for event in record.events)]
    values = [value for view in views for value in view.attributes.values()]
    return frozenset(value for value in values if isinstance(value, str) and len(value) > 256)


@pytest.mark.parametrize("limit", [2048, 512, 256])
def test_recorded_texts_fill_what_they_may_have(limit: int) -> None:
    long = [text for text in recorded_texts() if size(text) > limit]
    assert len(long) > 50
    for text in long:
        cut = cut_any(text, limit, MARKER)
        assert size(cut) <= limit
        found = read(text)
        kept_all = found is not None and json.loads(cut) == found[0]
        assert size(cut) > 0.7 * limit or kept_all
        assert found is None or type(json.loads(cut)) is type(found[0])
