from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.exporters.file import FileConfig


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "path must be non-empty"),
        ({"path": ""}, "path must be non-empty"),
        ({"path": "x", "append": True, "compression": "zstd"}, "append and compression enabled at the same time"),
        ({"path": "x", "append": True, "rotation": {}}, "append and rotation enabled at the same time"),
        ({"path": "x", "format": "xml"}, "'json' or 'proto'"),
        ({"path": "x", "compression": "gzip"}, "'zstd'"),
        ({"path": "x", "flush_interval": -1.0}, "flush_interval must be larger than zero"),
        ({"path": "x", "directory_permissions": "0755"}, "requires create_directory to be true"),
        ({"path": "x", "create_directory": True, "directory_permissions": "rwx"}, "pattern"),
        ({"path": "x", "group_by": {"enabled": True}}, "exactly one \\*"),
        ({"path": "*/*", "group_by": {"enabled": True}}, "exactly one \\*"),
        ({"path": "*x", "group_by": {"enabled": True}}, "must not start with \\*"),
        ({"path": "x*", "group_by": {"enabled": True, "resource_attribute": ""}}, "must not be empty"),
        ({"path": "x*", "group_by": {"enabled": True, "max_open_files": 0}}, "greater than or equal to 1"),
        ({"path": "x", "encoding": "otlp_json"}, "no encoding extensions"),
        ({"path": "x", "compression_params": {"level": 23}}, "less than or equal to 22"),
        ({"path": "x", "rotation": {"max_backups": -1}}, "greater than or equal to 0"),
    ],
)
def test_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FileConfig(**config)


def test_the_defaults_are_the_collectors() -> None:
    config = FileConfig(path="x", rotation={})
    assert config.model_dump(exclude={"encoding"}) == {
        "path": "x",
        "format": "json",
        "append": False,
        "compression": "",
        "compression_params": {"level": 0},
        "flush_interval": 1.0,
        "rotation": {"max_megabytes": 100, "max_days": 0, "max_backups": 100, "localtime": False},
        "group_by": {"enabled": False, "resource_attribute": "fileexporter.path_segment", "max_open_files": 100},
        "create_directory": False,
        "directory_permissions": None,
    }


def test_empty_permissions_are_the_default() -> None:
    assert FileConfig(path="x", directory_permissions="").directory_mode == 0o755
