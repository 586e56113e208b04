"""What an operator sees of a durable queue: its metrics and its few lines in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipeline.component import Host
from pipeline.delivery.durable.commit import Commit
from pipeline.delivery.durable.file.errors import StoreError, StoreFullError
from pipeline.delivery.durable.file.opening import Opened
from pipeline.delivery.durable.file.recovery import Damage
from pipeline.signals import Signal

_COMMIT_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Watch:
    """Counts and logs for one queue file."""

    def __init__(self, host: Host, signal: Signal) -> None:
        """For the exporter of `host`."""
        self._log = host.log
        labels = {"data_type": signal.value}
        meter = host.meter
        self._commits = meter.histogram(
            "penstock_queue_commit_seconds", "Time of a commit to a queue file.", _COMMIT_BUCKETS_S, **labels
        )
        self._refused = meter.counter(
            "penstock_queue_disk_full_items", "Items refused because the disk of a queue had no room.", **labels
        )
        self._failed = meter.counter(
            "penstock_queue_failed_writes", "Commits that a queue file did not take.", **labels
        )
        self._recovered = meter.counter(
            "penstock_queue_recovered_items", "Items found in a queue file at start, which are sent.", **labels
        )
        self._corrupt = meter.counter("penstock_queue_corrupt_files", "Damaged queue files set aside.", **labels)
        self._lost = meter.counter(
            "penstock_queue_corrupt_items",
            "Items in damaged queue files that could not be read, as far as they could be counted.",
            **labels,
        )
        self._trouble = ""

    def opened(self, opened: Opened, path: Path) -> None:
        """A file was opened."""
        for damage in opened.damages:
            self.damaged(damage)
        _, items, size_bytes, counted_to = opened.totals
        self.recovered(items)
        if opened.totals.requests:
            self._log.info(
                "The queue file holds data of an earlier run.",
                file=str(path), items=items, bytes=size_bytes, is_all=counted_to >= opened.last_id,
            )  # fmt: skip
        if opened.not_compacted:
            self._log.warning("The queue file was not compacted.", file=str(path), error=opened.not_compacted)

    def recovered(self, items: int) -> None:
        """Items of an earlier run were counted."""
        self._recovered.inc(items)

    def committed(self, commit: Commit) -> None:
        """A commit ended."""
        if commit.error is None:
            self._commits.observe(commit.seconds)
            if self._trouble:
                self._trouble = ""
                self._log.info("The queue file takes data again.")
            return
        if isinstance(commit.error, StoreFullError):
            self._refused.inc(sum(put.record.content.count for put in commit.puts))
        self.failed(commit.error)

    def failed(self, error: StoreError) -> None:
        """The file did not do what it was asked; told once for each kind of trouble until that ends."""
        self._failed.inc()
        if self._trouble != error.reason:
            self._trouble = error.reason
            self._log.error("The queue file cannot be used. Refusing data until it can.", error=str(error.refusal()))

    def brought_back(self, path: Path) -> None:
        """A file that was removed is there again."""
        self._log.error("The queue file was removed or moved while it was in use. It is there again.", file=str(path))

    def damaged(self, damage: Damage) -> None:
        """A file was set aside."""
        self._corrupt.inc()
        self._lost.inc(damage.lost_items)
        self._log.error(
            "The queue file is damaged. It was set aside, and what could be read of it is sent.",
            reason=damage.reason,
            file=str(damage.aside),
            requests=damage.requests,
            lost_requests=damage.lost_requests,
        )
        if not damage.is_done:
            self._log.error(
                "There is no room for all that the damaged queue file holds. Make room and start again.",
                file=str(damage.aside),
            )
