"""The keys of the `file` exporter: the Collector's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, refused


class Rotation(ConfigModel):
    """When a file is set aside and a new one begun; its presence turns rotation on."""

    max_megabytes: int = Field(
        default=100, ge=0, description="Size in MiB beyond which a file is not written further; 0 means 100."
    )
    max_days: int = Field(default=0, ge=0, description="Days after which a file set aside is deleted; 0: never.")
    max_backups: int = Field(default=100, ge=0, description="How many files set aside are kept; 0: all.")
    localtime: bool = Field(
        default=False,
        description="Name files set aside by local time instead of UTC (`traces-2026-01-31T12-00-00.000.json`).",
    )


class GroupBy(ConfigModel):
    """One file for each value of a resource attribute."""

    enabled: bool = Field(
        default=False, description="Put the value of `resource_attribute` in place of the `*` in `path`."
    )
    resource_attribute: str = Field(
        default="fileexporter.path_segment",
        description="Resource attribute with the part of the path; slashes make folders, `..` leads nowhere.",
    )
    max_open_files: int = Field(
        default=100, ge=1, description="Files kept open; the one not written for longest is closed."
    )


class CompressionParams(ConfigModel):
    """How hard to compress."""

    level: Annotated[int, Field(ge=0, le=22)] = Field(
        default=0, description="Zstandard level 1 to 22; 0: zstd's default."
    )


class FileConfig(ConfigModel):
    """Where and how telemetry is written."""

    path: str = Field(default="", description="The file; with `group_by` it has exactly one `*`.")
    format: Literal["json", "proto"] = Field(
        default="json", description="`json`: OTLP JSON, one request a line. `proto`: OTLP protobuf, length-prefixed."
    )
    encoding: str = refused("there are no encoding extensions; use `format: json` or `format: proto`", accept=("",))
    append: bool = Field(
        default=False,
        description="Keep what an earlier process wrote. False: the file begins empty, unless it rotates.",
    )
    compression: Literal["", "zstd"] = Field(
        default="",
        description="`zstd` compresses each request by itself; requests are then length-prefixed in both formats.",
    )
    compression_params: CompressionParams = Field(default=CompressionParams(), description="How hard to compress.")
    flush_interval: Duration = Field(
        default=1.0,
        description="How long a request may wait in memory. Each is handed to the operating system at once, "
        "so any interval is kept.",
    )
    rotation: Rotation | None = Field(default=None, description="Set files aside by size; absent: one file forever.")
    group_by: GroupBy = Field(default=GroupBy(), description="One file for each value of a resource attribute.")
    create_directory: bool = Field(default=False, description="Make the folders of `path` where they are missing.")
    directory_permissions: str | None = Field(
        default=None,
        pattern="^([0-7]{3,4})?$",
        description="Mode of folders made by `create_directory`, octal; absent or empty: 0755.",
    )

    @property
    def directory_mode(self) -> int:
        """Mode of new folders."""
        return int(self.directory_permissions or "0755", 8)

    @model_validator(mode="after")
    def _check(self) -> FileConfig:
        if not self.path:
            raise InvalidKey("path must be non-empty", "path")
        if self.append and self.compression:
            raise InvalidKey("append and compression enabled at the same time is not supported", "append")
        if self.append and self.rotation is not None:
            raise InvalidKey("append and rotation enabled at the same time is not supported", "append")
        if self.flush_interval < 0:
            raise InvalidKey("flush_interval must be larger than zero", "flush_interval")
        if self.directory_permissions and not self.create_directory:
            raise InvalidKey("directory_permissions requires create_directory to be true", "directory_permissions")
        if self.group_by.enabled:
            self._check_groups()
        return self

    def _check_groups(self) -> None:
        if self.path.count("*") != 1:
            raise InvalidKey("path must contain exactly one * when group_by is enabled", "path")
        if self.path.startswith("*"):
            raise InvalidKey("path must not start with * when group_by is enabled", "path")
        if not self.group_by.resource_attribute:
            raise InvalidKey(
                "resource_attribute must not be empty when group_by is enabled", "group_by", "resource_attribute"
            )
