"""The manifest of the recordings: which libraries spoke, and what each scenario holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.signals import Signal
from processors.demo.recordings import Recording, load
from tests.recording.driver import Driver, drivers

_NAME = "manifest.json"


def update_manifest(captures: Path) -> None:
    """Bring the entries of all drivers' folders in line with the recordings that are there."""
    path = captures / _NAME
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"dialects": {}}
    recorded: dict[str, list[Recording]] = {}
    for recording in load(captures):
        recorded.setdefault(recording.dialect, []).append(recording)
    for driver in drivers():
        for folder, (_, settings) in driver.runs().items():
            if folder in recorded:
                manifest["dialects"][folder] = _entry(driver, settings, recorded[folder])
    entries = manifest["dialects"].values()
    manifest["totals"] = _sum(entry["totals"] for entry in entries) | {"dialects": len(entries)}
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _entry(driver: Driver, settings: dict[str, str], recordings: list[Recording]) -> dict[str, Any]:
    scenarios = [_scenario(recording) for recording in recordings]
    return {
        "libraries": dict(need.rpartition(driver.pin)[::2] for need in driver.needs.get("dependencies", ())),
        "language": driver.language,
        "switches": " ".join(f"{key}={value}" for key, value in settings.items()),
        "totals": _sum(entry["counts"] for entry in scenarios) | {"scenarios": len(scenarios)},
        "scenarios": scenarios,
    }


def _scenario(recording: Recording) -> dict[str, Any]:
    truth = recording.truth
    names, scopes = Counter[str](), set[str]()
    for export in recording.exports():
        groups: Any = getattr(export.message(), _GROUPS[Signal(export.signal)], ())
        for scope in (scope for group in groups for scope in getattr(group, _SCOPES[Signal(export.signal)])):
            scopes.add(f"{scope.scope.name}@{scope.scope.version}")
            names.update(span.name for span in getattr(scope, "spans", ()))
    return {
        "scenario": recording.scenario,
        "kind": truth["kind"],
        "lang": truth["lang"],
        "stream": truth["stream"],
        "requests": len(truth["requests"]),
        "files": sorted(truth["bodies"]),
        "span_names": dict(names),
        "scopes": sorted(scopes),
        "counts": truth["counts"],
        "planted": len(truth["planted"]),
        "injection": bool(truth["injection"]),
    }


_GROUPS = {Signal.TRACES: "resource_spans", Signal.LOGS: "resource_logs", Signal.METRICS: "resource_metrics"}
_SCOPES = {Signal.TRACES: "scope_spans", Signal.LOGS: "scope_logs", Signal.METRICS: "scope_metrics"}


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found = Counter[str]()
    for entry in counts:
        found.update(entry)
    return dict(found)
