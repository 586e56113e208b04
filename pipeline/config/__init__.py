"""Configuration: YAML in, one validated and typed tree out, every error with its place in the file."""

from pipeline.config.durations import Duration, format_duration, parse_duration
from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.loading import load
from pipeline.config.model import ConfigModel, InvalidKey, refused
from pipeline.config.settings import ComponentSettings, PipelineSettings, ServiceSettings, Settings
from pipeline.config.types import ANY_CASE, VERSION, ExporterRef, ExtensionRef, Pattern, PipelineRef, Secret

__all__ = [
    "ANY_CASE",
    "VERSION",
    "ComponentId",
    "ComponentSettings",
    "ConfigModel",
    "Duration",
    "ExporterRef",
    "ExtensionRef",
    "InvalidKey",
    "Pattern",
    "PipelineId",
    "PipelineRef",
    "PipelineSettings",
    "Secret",
    "ServiceSettings",
    "Settings",
    "format_duration",
    "load",
    "parse_duration",
    "refused",
]
