"""The attributes `redaction.*` of the Collector's summary."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from pipeline.signals import Value

NAMES = "debug"
COUNTS = "info"


def summarize(attributes: MutableMapping[str, Value], prefix: str, keys: Sequence[str], *, names: bool) -> None:
    """Write how many keys were treated, and with `names` which; added to what an earlier processor may have written.

    `prefix` is `redaction.masked`, `redaction.body.masked`, ...
    """
    if names:
        before = attributes.get(f"{prefix}.keys")
        known = before.split(",") if isinstance(before, str) and before else []
        attributes[f"{prefix}.keys"] = ",".join(sorted([*keys, *known]))
    count = attributes.get(f"{prefix}.count")
    attributes[f"{prefix}.count"] = len(keys) + (count if isinstance(count, int) else 0)
