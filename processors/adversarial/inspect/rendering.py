"""An explanation as lines, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from processors.adversarial.inspect.explaining import Explanation, Segment, Shown

_MOST_SEGMENTS: Final = 3
_HEAD: Final = 160


def lines(explanation: Explanation, origin: str) -> Iterator[str]:
    """The verdict first, then why."""
    verdict = explanation.verdict
    yield f"{verdict.label.value}: score {verdict.score:.3f} as a text of origin {origin}"
    if verdict.category:
        yield f"category: {verdict.category}"
        yield f"rules: {', '.join(verdict.rules) or 'none'}"
        yield f"found in: view {verdict.view}, bytes {_range(verdict.offset_bytes, verdict.length_bytes)}"
    if explanation.proof:
        yield f"proof: {explanation.proof} decides alone"
    if explanation.raised:
        yield f"raised: up to {explanation.raised:.2f} log-odds, for what a text of this origin has not to say"
    if verdict.truncated:
        yield "truncated: the text is longer than what is examined of one"
    yield f"signs: {', '.join(f'{name} {count}' for name, count in explanation.signs.items()) or 'none'}"
    for view in explanation.views:
        yield ""
        yield from _view(view)


def _view(view: Shown) -> Iterator[str]:
    yield f"view {view.name}, characters {view.start}-{view.end}: {_head(view.text)}"
    for segment in view.segments[:_MOST_SEGMENTS]:
        yield from _segment(segment)
    if len(view.segments) > _MOST_SEGMENTS:
        yield f"  and {len(view.segments) - _MOST_SEGMENTS} more segments with lower scores"


def _segment(segment: Segment) -> Iterator[str]:
    where = _range(segment.offset_bytes, segment.length_bytes)
    yield f"  segment, bytes {where}: score {segment.score:.3f}, n-grams {segment.ngrams:+.2f}"
    yield f"    concepts: {', '.join(_counted(*item) for item in segment.concepts.items()) or 'none'}"
    if segment.weights:
        yield f"    weights: {', '.join(f'{name} {weight:+.2f}' for name, weight in segment.weights.items())}"
    yield f"    text: {_head(segment.text)}"


def _counted(name: str, count: int) -> str:
    return name if count == 1 else f"{name} x{count}"


def _range(offset: int, length: int) -> str:
    return f"{offset}-{offset + length}"


def _head(text: str) -> str:
    """The first characters on one line, with escapes for what a terminal would act on."""
    shown = text[:_HEAD].encode("utf-8", "replace").decode()
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown)
    return shown + ("..." if len(text) > _HEAD else "")


def as_json(explanation: Explanation, origin: str) -> dict[str, Any]:
    """All of it, texts of views in full."""
    verdict = explanation.verdict
    return {
        "origin": origin,
        "label": verdict.label.value,
        "score": verdict.score,
        "category": verdict.category,
        "rules": list(verdict.rules),
        "view": verdict.view,
        "offset_bytes": verdict.offset_bytes,
        "length_bytes": verdict.length_bytes,
        "truncated": verdict.truncated,
        "proof": explanation.proof,
        "raised_log_odds": explanation.raised,
        "signs": explanation.signs,
        "views": [_view_as_json(view) for view in explanation.views],
    }


def _view_as_json(view: Shown) -> dict[str, Any]:
    segments = [
        {
            "score": segment.score,
            "ngrams": segment.ngrams,
            "concepts": segment.concepts,
            "weights": segment.weights,
            "offset_bytes": segment.offset_bytes,
            "length_bytes": segment.length_bytes,
        }
        for segment in view.segments
    ]
    text = view.text.encode("utf-8", "replace").decode()
    return {"name": view.name, "start": view.start, "end": view.end, "text": text, "segments": segments}


__all__ = ["as_json", "lines"]
