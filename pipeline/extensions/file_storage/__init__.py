"""The `file_storage` extension."""

from pipeline.extensions.file_storage.config import CompactionConfig, FileStorageConfig
from pipeline.extensions.file_storage.extension import FileStorage

__all__ = ["CompactionConfig", "FileStorage", "FileStorageConfig"]
