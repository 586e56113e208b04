"""Names of queue files."""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote

from pipeline.config.ids import ComponentId
from pipeline.signals import Signal

SUFFIX: Final = ".db"
# Names of files have 255 bytes, and what stands beside them (`-wal`, `.corrupt-...`) needs some of those.
_LONGEST_ID: Final = 160


def file_name(exporter: ComponentId, signal: Signal, worker: int) -> str:
    """Name of the file of an exporter, signal and worker; no two of these share one."""
    name = quote(str(exporter), safe="")
    if len(name) > _LONGEST_ID:
        name = f"{name[:_LONGEST_ID]}-{hashlib.sha256(str(exporter).encode()).hexdigest()[:16]}"
    return f"exporter_{name}_{signal.value}_{worker}{SUFFIX}"
