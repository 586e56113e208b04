"""Images, sounds, films and files in the content of any API, as parts."""

from __future__ import annotations

import re
from typing import Any, Final

from processors.gen_ai_normalizer.messages.tools import Item, Part, rest
from processors.gen_ai_normalizer.messages.words import KIND_KEYS, MEDIA_CONTAINERS, MEDIA_FIELDS

_PLACE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_=\s-]*")
_SAMPLE: Final = 256
"""Characters that are looked at to tell base64 from text."""
_MODALITIES: Final = ("image", "audio", "video")
_MAX_DEPTH: Final = 4


def media_part(item: Item) -> Part:
    """A `uri`, `blob` or `file` part; text documents become text, and what names no place stays as it is."""
    found: dict[str, str] = {}
    left = _collect(item, found, 0)
    mime_type = found.get("mime_type", "")
    modality = _modality(item, mime_type)
    part = _part(found, mime_type, modality)
    if part is None:
        kind = item.get("type")
        return {**item, "type": modality if kind in _CLAIMED or not isinstance(kind, str) else kind}
    return rest(part, left, _KIND_WORDS)


_CLAIMED: Final = ("file", "blob", "uri", "text")
_KIND_WORDS: Final = frozenset({*KIND_KEYS, "modality"})


def _collect(item: Item, found: dict[str, str], depth: int) -> Item:
    """Take what is known out of an item; what is left is returned."""
    left: Item = {}
    for key, value in item.items():
        if isinstance(value, dict) and key in MEDIA_CONTAINERS and depth < _MAX_DEPTH:
            inner = _collect(value, found, depth + 1)
            inner = {name: entry for name, entry in inner.items() if name not in _KIND_WORDS}
            if inner:
                left[key] = inner
        elif isinstance(value, str) and value and (field := MEDIA_FIELDS.get(key)) and field not in found:
            found[field] = value
        else:
            left[key] = value
    return left


def _part(found: dict[str, str], mime_type: str, modality: str) -> Part | None:
    known = {"modality": modality, **({"mime_type": mime_type} if "/" in mime_type else {})}
    place, content = found.get("uri"), found.get("content")
    if place is None and content is not None and (content.startswith("data:") or _PLACE.match(content)):
        place, content = content, None
    part: Part | None = None
    if place is not None and place.startswith("data:"):
        part = _of_data_url(place, known)
    elif place is not None:
        part = {"type": "uri", **known, "uri": place}
    elif content is not None:
        part = _of_content(content, known)
    elif "file_id" in found:
        part = {"type": "file", **known, "file_id": found["file_id"]}
    elif "text" in found:
        part = {"type": "text", "content": found["text"]}
    return None if part is None else _complete(part, found, mime_type)


def _of_data_url(url: str, known: dict[str, str]) -> Part:
    header, comma, encoded = url.removeprefix("data:").partition(",")
    if not comma:
        return {"type": "uri", **known, "uri": url}
    mime_type = header.partition(";")[0]
    modality = _modality({}, mime_type) if mime_type else known["modality"]
    part = {"type": "blob", **known, "modality": modality, "content": encoded}
    return part | {"mime_type": mime_type} if mime_type else part


def _of_content(content: str, known: dict[str, str]) -> Part:
    is_text = known.get("mime_type", "").startswith("text/") or not _BASE64.fullmatch(content[:_SAMPLE])
    if is_text and known["modality"] == "document":
        return {"type": "text", "content": content}
    return {"type": "blob", **known, "content": content}


def _complete(part: Part, found: dict[str, str], mime_type: str) -> Part:
    """Keep what was found and is not in the part: a second place, a format that is no MIME type."""
    said = set(part.values())
    extra = {key: value for key, value in found.items() if value not in said and key not in {"mime_type", "uri"}}
    if mime_type and "/" not in mime_type and "mime_type" not in part:
        modality = part.get("modality")
        extra |= {"mime_type": f"{modality}/{mime_type}"} if modality in _MODALITIES else {"format": mime_type}
    elif mime_type and mime_type not in said:
        extra["format"] = mime_type
    place = found.get("uri")
    if place is not None and place not in said and part["type"] != "blob":
        extra["source_uri"] = place
    if str(found.get("content", "")).endswith(str(part.get("content", part))):
        extra.pop("content", None)
    return part | {key if key not in part else f"source_{key}": value for key, value in extra.items()}


def _modality(item: Item, mime_type: str) -> str:
    start = mime_type.partition("/")[0]
    if start in _MODALITIES:
        return start
    said = item.get("modality")
    if isinstance(said, str) and said:
        return said
    if "/" in mime_type:
        return "document"
    words: Any = " ".join([*(str(item.get(key) or "") for key in KIND_KEYS), *item]).lower()
    if "file" in words or "document" in words:
        return "document"
    return next((modality for modality in ("audio", "video") if modality in words), "image")
