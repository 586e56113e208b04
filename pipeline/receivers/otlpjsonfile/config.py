"""The keys of the `otlpjsonfile` receiver: the Collector's."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, refused

_NO_STORAGE: Final = "positions are kept in memory only; use start_at: beginning to read files again after a restart"
_ONE_LINE: Final = "every line is one request; leave it out"
_ALL_FILES: Final = "all files that match are followed, in the order of their paths; leave it out"
_OWNER: Final = "only the name and the path of a file can be added; leave it out"


class OtlpJsonFileConfig(ConfigModel):
    """Which files, and from where."""

    include: tuple[str, ...] = Field(default=(), description="Patterns of files to read; `*`, `?`, `[...]`, `**`.")
    exclude: tuple[str, ...] = Field(default=(), description="Patterns of files to leave out.")
    start_at: Literal["beginning", "end"] = Field(
        default="end", description="Where to begin in files that are there at start; later ones are read whole."
    )
    poll_interval: Duration = Field(default=0.2, gt=0, description="How often to look for files and for growth.")
    replay_file: bool = Field(default=False, description="Read every file from its beginning at each poll.")
    include_file_name: bool = Field(
        default=True, description="Put `log.file.name` on every span and log record and into the metadata of metrics."
    )
    include_file_path: bool = Field(default=False, description="The same with `log.file.path`.")
    include_file_name_resolved: bool = Field(
        default=False, description="The same with `log.file.name_resolved`, the name behind symbolic links."
    )
    include_file_path_resolved: bool = Field(
        default=False, description="The same with `log.file.path_resolved`, the absolute path behind symbolic links."
    )
    include_file_owner_name: bool = refused(_OWNER, accept=(False,), default=False)
    include_file_owner_group_name: bool = refused(_OWNER, accept=(False,), default=False)
    include_file_record_number: bool = refused(_OWNER, accept=(False,), default=False)
    include_file_record_offset: bool = refused(_OWNER, accept=(False,), default=False)
    storage: str | None = refused(_NO_STORAGE)
    delete_after_read: bool = refused("files are never deleted; leave it out", accept=(False,), default=False)
    compression: str = refused("only plain files are read; unpack them first", accept=("",), default="")
    encoding: str = refused("OTLP JSON is UTF-8", accept=("", "utf-8", "utf8"), default="utf-8")
    max_log_size: Any = refused("lines of up to 64 MiB are read; leave it out")
    multiline: Any = refused(_ONE_LINE)
    header: Any = refused(_ONE_LINE)
    force_flush_period: Any = refused("a last line without a newline is read once it is whole; leave it out")
    preserve_leading_whitespaces: Any = refused(_ONE_LINE)
    preserve_trailing_whitespaces: Any = refused(_ONE_LINE)
    fingerprint_size: Any = refused("files are known by their inode; leave it out")
    max_concurrent_files: Any = refused(_ALL_FILES)
    max_batches: Any = refused(_ALL_FILES)
    ordering_criteria: Any = refused(_ALL_FILES)
    exclude_older_than: Any = refused(_ALL_FILES)
    polls_to_archive: Any = refused(_NO_STORAGE)
    acquire_fs_lock: bool = refused("files are read without locks; leave it out", accept=(False,), default=False)

    @model_validator(mode="after")
    def _check(self) -> OtlpJsonFileConfig:
        if not self.include:
            raise InvalidKey("'include' must be specified: name at least one pattern", "include")
        return self
