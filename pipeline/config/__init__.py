"""Configuration: YAML in, one validated and typed tree out, every error with its place in the file."""

from pipeline.config.durations import Duration, format_duration, parse_duration
from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.model import ConfigModel, InvalidKey, refused
from pipeline.config.types import ExporterRef, ExtensionRef, Pattern, PipelineRef, Secret

__all__ = [
    "ComponentId",
    "ConfigModel",
    "Duration",
    "ExporterRef",
    "ExtensionRef",
    "InvalidKey",
    "Pattern",
    "PipelineId",
    "PipelineRef",
    "Secret",
    "format_duration",
    "parse_duration",
    "refused",
]
