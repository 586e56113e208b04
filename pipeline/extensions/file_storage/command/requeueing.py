"""`penstock queue requeue`: the requests of a file go back into a queue."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from pipeline.config import ComponentId, load
from pipeline.delivery.durable.file.handing_in import hand_in
from pipeline.delivery.durable.file.look import is_locked
from pipeline.delivery.durable.file.names import Kind, QueueFile, file_name
from pipeline.errors import PenstockError
from pipeline.extensions.file_storage.command.configured import directory_of, queue_file, storage_of

_TAKEN_IN: Final = "A running Penstock takes them in within seconds, else the next start does."


def requeue(options: argparse.Namespace) -> int:
    """Hand the requests of a file in for a queue."""
    source = queue_file(options.file)
    target = _target(options, source)
    if is_locked(source.path):
        raise PenstockError(f"{source.path} is the queue of a running process, which sends what is in it")
    if source.kind is Kind.CORRUPT and not options.again:
        raise PenstockError(
            f"what can be read of {source.path.name} went back into its queue when it was set aside; "
            "--again sends it once more"
        )
    done = hand_in(source.path, target)
    if not done.requests:
        sys.stdout.write(f"{source.path} has no request that can be read\n")
        return 0
    sys.stdout.write(f"{done.requests} requests with {done.items} items are handed in for {target.name}. {_TAKEN_IN}\n")
    if source.path.exists():
        sys.stdout.write(f"{source.path} stays: it is damaged. Remove it when you do not need it any more.\n")
    return 0


def _target(options: argparse.Namespace, source: QueueFile) -> Path:
    """The queue file to hand rows in for. Raises PenstockError."""
    target = Path(options.into) if options.into else _file_of_exporter(options, source)
    parsed = queue_file(target)
    if parsed.kind is not Kind.QUEUE:
        raise PenstockError(f"{target.name} is no queue's own file; leave out what stands behind .db")
    if parsed.signal is not source.signal:
        raise PenstockError(f"{source.path.name} holds {source.signal.value}, {target.name} {parsed.signal.value}")
    if target.resolve() == source.path.resolve():
        raise PenstockError(f"{target} is the queue's own file; what is in it is sent when Penstock runs")
    return target


def _file_of_exporter(options: argparse.Namespace, source: QueueFile) -> Path:
    try:
        exporter = ComponentId.parse(options.exporter)
    except ValueError as error:
        raise PenstockError(str(error)) from error
    directory = source.path.parent
    if options.config:
        settings = load(options.config, options.sets)
        storage = storage_of(settings, exporter) if exporter in settings.exporters else None
        if storage is None:
            raise PenstockError(f'the configuration has no exporter "{exporter}" with sending_queue.storage')
        directory = directory_of(settings, storage)
    return directory / file_name(exporter, source.signal, 0)
