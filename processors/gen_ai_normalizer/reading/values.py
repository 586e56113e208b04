"""Readers of values: from what stands in an attribute to what the conventions want there; None where it does not fit.

Sources: types of `data/targets.yaml`; "wrong types mended" covers numbers as text, whole numbers as double, arrays as
JSON text or comma-joined, booleans as `"True"`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from processors.gen_ai_normalizer.knowledge.vocabulary import (
    finish_reason,
    finish_reasons,
    known_reasons,
    operation_names,
    providers,
)
from processors.gen_ai_normalizer.reading.json_text import dump, parse_text

Reader = Callable[[Any], Any]
_LONGEST_URL: Final = 256
_INT64: Final = 2**63


def read_text(value: Any) -> str | None:
    """Text that is not empty."""
    return value if isinstance(value, str) and value else None


def read_label(value: Any) -> str | None:
    """Text, also of a number: versions are written as either."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return read_text(value)


def read_length(value: Any) -> int | None:
    """The length of a vector, or of the first of several, also as JSON text."""
    value = parse_text(value)
    while isinstance(value, list) and value and not isinstance(value[0], int | float):
        value = parse_text(value[0])
    return len(value) if isinstance(value, list) and value else None


def read_int(value: Any) -> int | None:
    """A whole number of 64 bits, also from a double or from digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else None
    number = read_double(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < _INT64 else None


def read_tokens(value: Any) -> int | None:
    """A count: a whole number that is not negative."""
    count = read_int(value)
    return count if count is not None and count >= 0 else None


def read_double(value: Any) -> float | None:
    """A finite number, also from text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_texts(value: Any) -> list[str] | None:
    """An array of texts, also from JSON text or from one text."""
    if isinstance(value, str):
        value = _json_list(value) if value.startswith("[") else [value]
    if not isinstance(value, list):
        return None
    texts = [text for text in value if isinstance(text, str) and text]
    return texts or None


def _json_list(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def read_flag(value: Any) -> bool | None:
    """True; a flag that is not set is absent."""
    return True if value is True or (isinstance(value, str) and value.lower() == "true") else None


def read_json(value: Any) -> str | None:
    """JSON text of a structure; text stays as it is."""
    if isinstance(value, str):
        return value or None
    return dump(value) if isinstance(value, list | dict) and value else None


def read_operation(value: Any) -> str | None:
    """An operation name; names of its own kind stay."""
    return operation_names().get(value, value) if isinstance(value, str) and value else None


def read_model_of_name(value: Any) -> str | None:
    """The model in a span's name of the conventions' form (`chat gpt-4o`)."""
    return value.partition(" ")[2].strip() or None if isinstance(value, str) else None


def read_provider(value: Any) -> str | None:
    """A provider's name; None for a library that calls itself one."""
    return providers().name(value) if isinstance(value, str) else None


def read_provider_of_model(value: Any) -> str | None:
    """The provider in `provider/model`."""
    return providers().of_model(value) if isinstance(value, str) and "/" in value else None


def read_routed_model(value: Any) -> str | None:
    """The model of `provider/model` where the first is a provider we know, else the text."""
    if not isinstance(value, str) or not value:
        return None
    route, slash, model = value.partition("/")
    return model if slash and model and providers().known(route) else value


def read_model_without_options(value: Any) -> str | None:
    """A model's id without what a client added in brackets (`claude-opus-4-8[1m]`: with a context of a million)."""
    return value.partition("[")[0] or None if isinstance(value, str) else None


def read_finish_reasons(value: Any) -> list[str] | None:
    """Finish reasons as an array, each in the conventions' word."""
    if isinstance(value, list) and value and known_reasons().issuperset(map(_word, value)):
        return value
    if isinstance(value, str) and value in finish_reasons():
        return [finish_reasons()[value]]
    if isinstance(value, str) and "," in value and not value.startswith("["):
        value = [part.strip() for part in value.split(",")]
    texts = read_texts(value)
    reasons = [reason for text in texts or () if (reason := finish_reason(text))]
    return reasons or None


def are_finish_reasons(value: Any) -> bool:
    """Whether a value is an array of the conventions' own words."""
    known = known_reasons()
    return type(value) is list and bool(value) and all(type(word) is str and word in known for word in value)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def read_host(value: Any) -> str | None:
    """A host name, also out of a URL."""
    if not isinstance(value, str) or "://" not in value:
        return read_text(value)
    return _host_and_port(value)[0]


def read_port(value: Any) -> int | None:
    """The port that a URL names."""
    if not isinstance(value, str) or "://" not in value:
        return None
    return _host_and_port(value)[1]


def _host_and_port(url: str) -> tuple[str | None, int | None]:
    # Applications call some few hosts; a cache of long texts would hold what no one should.
    return _split(url) if len(url) <= _LONGEST_URL else _split.__wrapped__(url)


@lru_cache(maxsize=1024)
def _split(url: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None, None
    try:
        return host, parts.port
    except ValueError:
        return host, None


def read_stream_of_url(value: Any) -> bool | None:
    """Whether a URL is marked as that of a stream (`#stream`)."""
    return True if isinstance(value, str) and value.endswith("#stream") else None


def read_provider_of_host(value: Any) -> str | None:
    """The provider that serves a URL or host."""
    host = read_host(value)
    return providers().of_host(host) if host else None


def read_reason_of_items(value: Any) -> list[str] | None:
    """One finish reason of a response whose items each have one: it ended in a tool call where any item is one.

    None for one that has only its status (completed): what its items are may say more.
    """
    reasons = read_finish_reasons(value)
    if reasons is None or len(reasons) == 1:
        return None if value == ["completed"] else reasons
    return ["tool_call"] if "tool_call" in reasons else reasons[-1:]


def read_reason_of_response(value: Any) -> list[str] | None:
    """The finish reason of a response of OpenAI's Responses API, which has a status and items that tell of it."""
    if not isinstance(value, dict) or value.get("object") != "response" or not isinstance(value.get("output"), list):
        return None
    status, details = value.get("status"), value.get("incomplete_details")
    if status != "completed":
        reason = details.get("reason") if isinstance(details, dict) else None
        return read_finish_reasons(reason or status)
    called = any(isinstance(item, dict) and item.get("type") in _CALLING for item in value["output"])
    return ["tool_call" if called else "stop"]


_CALLING: Final = ("function_call", "custom_tool_call", "computer_call")
"""Items of a response that ask the client to run a tool."""


def read_reason_of_output(value: Any) -> list[str] | None:
    """The finish reason of a response of which only the items are left: one, or a list of them."""
    items = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
    statuses = [item["status"] for item in items if "status" in item and "type" in item]
    if not statuses:
        return None
    unfinished = next((status for status in statuses if status != "completed"), None)
    if unfinished is not None:
        return read_finish_reasons(unfinished)
    return ["tool_call" if any(item.get("type") in _CALLING for item in items) else "stop"]


def read_positive(value: Any) -> bool | None:
    """Whether a number is above zero; a flag that is not set is absent."""
    number = read_double(value)
    return True if number is not None and number > 0 else None


def read_reasons_of_messages(value: Any) -> list[str] | None:
    """The finish reason of each of several messages, as far as they have one."""
    messages = value if isinstance(value, list) else ()
    return read_finish_reasons([entry.get("finish_reason") for entry in messages if isinstance(entry, dict)])


def never(_value: Any) -> bool:
    """No value."""
    return False


def always(_value: Any) -> bool:
    """Every value."""
    return True


def is_number(value: Any) -> bool:
    """A number: one that is no count (negative, NaN) tells nothing; text might be somebody's own."""
    return isinstance(value, int | float)


READERS: Final[dict[str, tuple[Reader, type]]] = {
    "text": (read_text, str),
    "label": (read_label, str),
    "length": (read_length, int),
    "int": (read_int, int),
    "tokens": (read_tokens, int),
    "double": (read_double, float),
    "texts": (read_texts, list),
    "flag": (read_flag, bool),
    "json": (read_json, str),
    "host": (read_host, str),
    "operation": (read_operation, str),
    "provider": (read_provider, str),
    "provider_of_model": (read_provider_of_model, str),
    "provider_of_host": (read_provider_of_host, str),
    "routed_model": (read_routed_model, str),
    "model_without_options": (read_model_without_options, str),
    "port": (read_port, int),
    "stream_of_url": (read_stream_of_url, bool),
    "reason_of_items": (read_reason_of_items, list),
    "reason_of_response": (read_reason_of_response, list),
    "reason_of_output": (read_reason_of_output, list),
    "reasons_of_messages": (read_reasons_of_messages, list),
    "positive": (read_positive, bool),
    "model_of_name": (read_model_of_name, str),
    "finish_reasons": (read_finish_reasons, list),
}
"""Reader and Python type of each kind of target."""

NEEDED: Final[dict[Reader, str]] = {read_reasons_of_messages: "finish_reason"}
"""Names that must stand in the text of a structure for a reader to find anything there."""
