"""Writes the recordings that ship in the package: `python -m tests.recording.packaged`."""

from __future__ import annotations

import sys

import zstandard

from pipeline.signals import Signal, otlp_json
from processors.demo.recorded import PACKAGED
from processors.demo.recordings import load


def packaged() -> bytes:
    """Traces and logs of all recordings of the checkout, OTLP/JSON, a request a line."""
    exports = (export for recording in load() for export in recording.exports() if export.signal != Signal.METRICS)
    return b"".join(otlp_json.encode(export.message()) + b"\n" for export in exports)


def main() -> int:
    """Write them."""
    PACKAGED[0].write_bytes(zstandard.ZstdCompressor(level=19).compress(packaged()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
