"""Log lines: the Collector's console and JSON forms, and what of a record may be written at all.

Messages of Penstock are constant. Other libraries' messages may hold telemetry, so of theirs only a format string with
arguments (which is constant, too) is written, never the arguments, and of an exception only its type and place.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pipeline.errors import PenstockError

LOGGER: Final = "penstock"
_ROOT: Final = Path(__file__).parents[2]
_LEVEL_NAMES: Final = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn", logging.ERROR: "error"}


def level_name(record: logging.LogRecord) -> str:
    """The Collector's name of a level."""
    return _LEVEL_NAMES.get(record.levelno, "error")


def is_own(record: logging.LogRecord) -> bool:
    """Whether Penstock wrote the record, not a library."""
    return record.name == LOGGER or record.name.startswith(f"{LOGGER}.")


def caller(record: logging.LogRecord) -> str:
    """Place in the source, e.g. `pipeline/service.py:31`; of a library the last two parts of its path."""
    path = Path(record.pathname)
    short = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) and is_own(record) else Path(*path.parts[-2:])
    return f"{short}:{record.lineno}"


def message(record: logging.LogRecord) -> str:
    """The constant text of a record."""
    if is_own(record):
        return record.getMessage()
    return str(record.msg) if record.args else "A library logged a message"


def fields(record: logging.LogRecord, *, stacktrace: bool) -> dict[str, Any]:
    """What varies, ready for JSON."""
    if is_own(record):
        values: dict[str, Any] = dict(getattr(record, "fields", {}))
    else:
        values = {"library": record.name}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        values["error"] = describe(error)
        if stacktrace:
            frames = traceback.extract_tb(error.__traceback__)
            values["stacktrace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return values


def describe(error: BaseException) -> str:
    """An error as a log may show it: the text of Penstock's own, of others the type alone."""
    return str(error) if isinstance(error, PenstockError) else type(error).__name__


def _plain(value: Any) -> Any:
    return describe(value) if isinstance(value, BaseException) else str(value)


def _dump(values: Mapping[str, Any]) -> str:
    return json.dumps(values, default=_plain, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class LineFormatter(logging.Formatter):
    """What both forms share: which parts a line has."""

    def __init__(self, initial_fields: Mapping[str, Any], *, with_caller: bool, stacktrace: bool) -> None:
        """Keep what stands on every line."""
        super().__init__()
        self._initial = dict(initial_fields)
        self._caller = with_caller
        self._stacktrace = stacktrace

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        return self._initial | fields(record, stacktrace=self._stacktrace)


class ConsoleFormatter(LineFormatter):
    """`time  level  caller  message  {fields}`, separated by tabs."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        parts = [_time(record), level_name(record)]
        if self._caller:
            parts.append(caller(record))
        parts.append(message(record))
        if values := self._fields(record):
            parts.append(_dump(values))
        return "\t".join(parts)


class JsonFormatter(LineFormatter):
    """One JSON object a line: level, ts, caller, msg, the resource, then the fields."""

    def __init__(
        self,
        initial_fields: Mapping[str, Any],
        resource: Mapping[str, str],
        *,
        with_caller: bool,
        stacktrace: bool,
    ) -> None:
        """Keep the resource beside what stands on every line."""
        super().__init__(initial_fields, with_caller=with_caller, stacktrace=stacktrace)
        self._resource = dict(resource)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        values: dict[str, Any] = {"level": level_name(record), "ts": _time(record)}
        if self._caller:
            values["caller"] = caller(record)
        return _dump(values | {"msg": message(record), "resource": self._resource} | self._fields(record))
