"""The keys of `file_storage`: the Collector's."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey

DEFAULT_DIRECTORY: Final = "/var/lib/otelcol/file_storage"
_ALL_BITS: Final = 0o777


class CompactionConfig(ConfigModel):
    """When files become smaller again; without it a file keeps the size of its largest backlog, and fills it anew."""

    on_start: bool = Field(False, description="Compact a file when it is opened.")
    on_rebound: bool = Field(
        False, description="Compact a file in use when it was large and nearly all of it has been sent."
    )
    directory: str = Field(
        "", description="Where `on_start` writes its copy before it takes the file's place; empty: beside the file."
    )
    rebound_needed_threshold_mib: int = Field(
        100, ge=0, description="`on_rebound`: a file below this size, in MiB, is left as it is."
    )
    rebound_trigger_threshold_mib: int = Field(
        10, ge=0, description="`on_rebound`: at most so many MiB of data are still in the file."
    )
    max_transaction_size: int = Field(65536, description="`on_rebound`: bytes moved in one transaction; 0: no limit.")
    check_interval: Duration = Field(5.0, description="`on_rebound`: how often sizes are looked at.")
    cleanup_on_start: bool = Field(
        False, description="Remove what a compaction that was interrupted left in `directory`."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_transaction_size < 0:
            raise InvalidKey("max transaction size for compaction cannot be less than 0", "max_transaction_size")
        if self.on_rebound and self.check_interval <= 0:
            raise InvalidKey(
                "compaction check interval must be positive when rebound compaction is set", "check_interval"
            )
        return self


class FileStorageConfig(ConfigModel):
    """Configuration of `file_storage`."""

    directory: str = Field(DEFAULT_DIRECTORY, description="Where the files are; one for each exporter and signal.")
    create_directory: bool = Field(False, description="Make the directories that are not there.")
    directory_permissions: str = Field("0750", description="Mode of directories made by `create_directory`, octal.")
    timeout: Duration = Field(1.0, ge=0, description="How long to wait for a file that another process holds.")
    fsync: bool = Field(
        False, description="Whether what was admitted survives a loss of power, and not only the end of the process."
    )
    recreate: bool = Field(
        False,
        description="Whether a damaged file is set aside and a new one begun. That is done in any case: rows that can "
        "be read are brought over, and the damaged file stays beside it as `.corrupt-<time>`.",
    )
    compaction: CompactionConfig = Field(CompactionConfig(), description="When files become smaller again.")

    @property
    def directory_mode(self) -> int:
        """Mode of new directories."""
        return int(self.directory_permissions, 8)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.create_directory:
            self._check_permissions()
        else:
            _check_directory(self.directory, "directory")
            compaction = self.compaction
            if compaction.directory and (compaction.on_start or compaction.on_rebound):
                _check_directory(compaction.directory, "compaction", "directory")
        return self

    def _check_permissions(self) -> None:
        try:
            mode = int(self.directory_permissions, 8)
        except ValueError:
            mode = -1
        if not 0 <= mode <= _ALL_BITS:
            raise InvalidKey(
                f'directory_permissions value "{self.directory_permissions}" must be a valid octal representation of '
                "permissions",
                "directory_permissions",
            )


def _check_directory(text: str, *path: str) -> None:
    directory = Path(text)
    if not directory.exists():
        raise InvalidKey(f"directory {text} must exist; make it, or set create_directory: true", *path)
    if not directory.is_dir():
        raise InvalidKey(f"{text} is not a directory", *path)
