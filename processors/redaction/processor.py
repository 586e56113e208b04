"""Processor `redaction`: the component. What it does is in `entity_stage` and `collector_stage`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.component import Host, Processor
from pipeline.signals import Batch, Record, Resource
from processors.redaction.config import RedactionConfig
from processors.redaction.records.guard import succeeds

REASON: Final = "redaction_failed"
"""Why a record was dropped: it could not be redacted, so it does not leave."""


class Redaction(Processor):
    """Takes personal data and secrets out of spans, logs and metrics, everywhere text can hide.

    Values become placeholders such as `<EMAIL>`; JSON stays valid JSON. It fails closed: a value that cannot be
    examined becomes `<REDACTED>`, a record that cannot be worked on is dropped as `redaction_failed`. With only the
    Collector's keys it does what the Collector's processor does.
    """

    type = "redaction"
    keeps_unknown_fields = False
    example = "{entities: default}"
    Config = RedactionConfig
    config: RedactionConfig

    def __init__(self, config: RedactionConfig, host: Host) -> None:
        """Compile rules and expressions."""
        super().__init__(config, host)
        from processors.redaction.stages import build_stages  # noqa: PLC0415 - Vectorscan and the numbering plans

        self._stages, self._tally = build_stages(config, host)
        if config.deletes_all:
            host.log.warning(
                "Every attribute is deleted, as the Collector does: with its keys alone (hmac_key and summary, too) "
                "only allowed_keys are kept. Set allow_all_keys, or entities for ours."
            )

    def process(self, batch: Batch) -> Batch | None:
        """Redact every record, and what the records share."""
        records: Sequence[Record] = batch.records()
        failed: list[Record] = []
        broken = [resource for resource in batch.resources() if not self._resource(resource)]
        if broken:
            # Those behind this slice are never asked for their resource again.
            failed = [record for record in (*records, *batch.behind()) if record.resource in broken]
            records = _without(records, failed)
        for stage in self._stages:
            if unfinished := stage.redact_records(records):
                failed += unfinished
                records = _without(records, unfinished)
        if failed:
            self._fail(batch, failed)
        if count := self._tally.write():
            self.host.log.error("Values or records could not be examined.", count=count)
        return batch

    def _fail(self, batch: Batch, failed: list[Record]) -> None:
        for _ in failed:
            self._tally.fail("error", "record")
        if not self.config.dry_run:
            self.drop(batch, failed, REASON)

    def _resource(self, resource: Resource) -> bool:
        """Redact what the records of a resource share; False where that failed, and they must not leave with it."""
        if all(succeeds(stage.redact_resource, resource) for stage in self._stages):
            return True
        self._tally.fail("error", "resource")
        if not self.config.dry_run:
            _empty(resource)
        return False


def _empty(resource: Resource) -> None:
    """Remove all texts that the records of a resource share: it may stay behind without them."""
    resource.attributes.clear()
    resource.pb.ClearField("entity_refs")
    resource.schema_url = resource.group.schema_url = ""
    for scope in resource.scopes:
        scope.attributes.clear()
        scope.name = scope.version = ""
        scope.schema_url = scope.group.schema_url = ""
        for metric in scope.metrics:
            metric.name = metric.description = metric.unit = ""
            metric.pb.ClearField("metadata")
    resource.content.stale = True


def _without(records: Sequence[Record], gone: Sequence[Record]) -> list[Record]:
    ids = set(map(id, gone))
    return [record for record in records if id(record) not in ids]
