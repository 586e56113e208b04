"""Indexed keys back into lists."""

from __future__ import annotations

from processors.gen_ai_normalizer.messages.tree import FlatKeys


def built(attributes: dict[str, object], *, unwrap: bool = False) -> list[object]:
    return FlatKeys.under("p.", attributes, unwrap=unwrap).build(attributes)


def test_indices_give_the_order() -> None:
    assert built({"p.10.x": "c", "p.2.x": "b", "p.0.x": "a", "q.0.x": "other"}) == [{"x": "a"}, {"x": "b"}, {"x": "c"}]


def test_lists_inside_lists() -> None:
    assert built({"p.0.calls.1.name": "b", "p.0.calls.0.name": "a"}) == [{"calls": [{"name": "a"}, {"name": "b"}]}]


def test_names_of_elements_are_left_out_where_asked() -> None:
    attributes: dict[str, object] = {
        "p.0.message.role": "user",
        "p.0.message.tool_calls.0.tool_call.function.name": "f",
    }
    assert built(attributes, unwrap=True) == [{"role": "user", "tool_calls": [{"function": {"name": "f"}}]}]


def test_keys_without_an_index_are_not_of_the_list() -> None:
    assert built({"p.x": 1, "p.": 2, "p.²": 3}) == []


def test_a_value_where_others_have_a_branch_does_no_harm() -> None:
    assert built({"p.0": "x", "p.0.role": "user"}) == [{"role": "user"}]


def test_an_index_no_conversation_has_is_no_index() -> None:
    assert built({"p.99999999999.x": 1}) == []
