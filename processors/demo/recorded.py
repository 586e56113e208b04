"""What `penstock replay` sends: the recordings of the package, or files and folders of other ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.errors import PenstockError, Rejected
from pipeline.signals import Batch, Signal
from pipeline.signals.intake import of_message
from processors.demo.files import batches
from processors.demo.recordings import load
from processors.demo.renewal import Recorded

PACKAGED: Final = (
    # Of all instrumentations of the checkout, their traces and logs: `python -m tests.recording.packaged`.
    Path(__file__).parent / "data" / "recordings.otlp.jsonl.zst",
    # What libraries do not record: tenants, versions of prompts, a vector store, evaluations, feedback, an attack.
    Path(__file__).parent / "data" / "assistant.otlp.jsonl",
)


def recorded(paths: Sequence[Path]) -> list[Recorded]:
    """The requests of traces and logs in files, and in folders of recordings, in their order.

    Metrics are left out: values that add up over a process' life do not repeat.

    Raises:
        PenstockError: a file cannot be read, or is nothing that is known; nothing was recorded.
    """
    found = [_as_recorded(batch) for path in paths or PACKAGED for batch in _checked(path) if batch.count]
    if not found:
        raise PenstockError("no spans and no log records in what was given")
    return found


def _checked(path: Path) -> Iterable[Batch]:
    try:
        return list(_of_folder(path) if path.is_dir() else _of_file(path))
    except OSError as error:
        raise PenstockError(f"{path}: {error.strerror or error}") from None
    except (ValueError, Rejected) as error:
        raise PenstockError(f"{path}: {error}") from None


def _of_file(path: Path) -> Iterator[Batch]:
    if ".metrics." not in path.name:
        yield from batches(path.read_bytes(), Signal.LOGS if ".logs." in path.name else Signal.TRACES)


def _of_folder(path: Path) -> Iterator[Batch]:
    for recording in load(path):
        for export in recording.exports():
            if export.signal != Signal.METRICS:
                yield of_message(Signal(export.signal), export.message())


def _as_recorded(batch: Batch) -> Recorded:
    return Recorded(batch.signal, batch.serialize(), batch.count)
