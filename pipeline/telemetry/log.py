"""Penstock's own log: constant messages with fields, never payload text."""

from __future__ import annotations

import logging
from typing import Any


class Log:
    """The log of one component. Messages are constant; what varies goes into fields: `log.info("Started", port=1)`."""

    __slots__ = ("_fields", "_logger")

    def __init__(self, logger: logging.Logger, **fields: Any) -> None:
        """Bind the fields that stand on every line of this component."""
        self._logger = logger
        self._fields = fields

    def bind(self, **fields: Any) -> Log:
        """A log with more fields on every line."""
        return Log(self._logger, **(self._fields | fields))

    def debug(self, message: str, /, **fields: Any) -> None:
        """What helps a developer."""
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, /, **fields: Any) -> None:
        """What an operator wants to know."""
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, /, **fields: Any) -> None:
        """What an operator should look at."""
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, /, **fields: Any) -> None:
        """What went wrong for good."""
        self._write(logging.ERROR, message, fields)

    def _write(self, level: int, message: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            # Level 3 up is the caller of debug/info/...: limits are kept per call site.
            self._logger.log(level, message, extra={"fields": self._fields | fields}, stacklevel=3)
