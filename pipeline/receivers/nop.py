"""A receiver that receives nothing."""

from __future__ import annotations

from pipeline.component import Receiver
from pipeline.config import ConfigModel


class NopConfig(ConfigModel):
    """There is nothing to set."""


class NopReceiver(Receiver):
    """Takes nothing: the beginning of a pipeline of a configuration that is tried out."""

    type = "nop"
    listens = False
    Config = NopConfig
