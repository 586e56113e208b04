"""Where Penstock's log goes: handlers on stdlib logging by `service.telemetry.logs`, limited per call site."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prometheus_client import Counter

from pipeline.config.service import LogSampling, LogsTelemetry
from pipeline.errors import StartError
from pipeline.telemetry.lines import LOGGER, ConsoleFormatter, JsonFormatter

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class CallSiteLimit(logging.Filter):
    """Of each call site the first `initial` lines of a tick pass, then every `thereafter`-th (zap's sampler)."""

    def __init__(
        self, sampling: LogSampling, suppressed: Counter, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Count what is kept back in `suppressed`."""
        super().__init__()
        self._tick_s = sampling.tick
        self._initial = sampling.initial
        self._thereafter = sampling.thereafter
        self._suppressed = suppressed
        self._monotonic = monotonic
        self._sites: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        now = self._monotonic()
        site = (record.pathname, record.lineno)
        ends, count = self._sites.get(site, (0.0, 0))
        ends, count = (now + self._tick_s, 1) if now >= ends else (ends, count + 1)
        self._sites[site] = (ends, count)
        over = count - self._initial
        if over <= 0 or (self._thereafter and over % self._thereafter == 0):
            return True
        self._suppressed.inc()
        return False


class _Limited(logging.Handler):
    """Passes each record that the limit lets through to every output, so that all outputs have the same lines."""

    def __init__(self, outputs: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._outputs = outputs

    def emit(self, record: logging.LogRecord) -> None:
        for output in self._outputs:
            output.handle(record)

    def close(self) -> None:
        for output in self._outputs:
            output.close()
        super().close()


class LogOutput:
    """Stdlib logging set up for one configuration; `install` puts it in force, `remove` takes it out."""

    def __init__(
        self,
        config: LogsTelemetry,
        resource: Mapping[str, str],
        suppressed: Counter,
        more: Sequence[logging.Handler] = (),
    ) -> None:
        """Open the outputs; `more` are handlers that get the same records.

        Raises:
            StartError: an output file cannot be opened.
        """
        formatter = _formatter(config, resource)
        outputs = [_open(path) for path in config.output_paths]
        for output in outputs:
            output.setFormatter(formatter)
        self._level = _LEVELS[config.level]
        self._handler = _Limited([*outputs, *more])
        if config.sampling is not None and config.sampling.enabled:
            self._handler.addFilter(CallSiteLimit(config.sampling, suppressed))

    def install(self) -> None:
        """Send Penstock's records from the configured level on, and warnings of libraries, to the outputs."""
        root = logging.getLogger()
        root.addHandler(self._handler)
        logging.getLogger(LOGGER).setLevel(self._level)
        logging.captureWarnings(capture=True)

    def remove(self) -> None:
        """Undo `install` and close the outputs."""
        logging.getLogger().removeHandler(self._handler)
        logging.captureWarnings(capture=False)
        self.discard()

    def discard(self) -> None:
        """Close the outputs of a configuration that was never put in force."""
        self._handler.close()


def _formatter(config: LogsTelemetry, resource: Mapping[str, str]) -> logging.Formatter:
    with_caller, stacktrace = not config.disable_caller, not config.disable_stacktrace
    if config.encoding == "json":
        return JsonFormatter(config.initial_fields, resource, with_caller=with_caller, stacktrace=stacktrace)
    return ConsoleFormatter(config.initial_fields, with_caller=with_caller, stacktrace=stacktrace)


def _open(path: str) -> logging.Handler:
    if path in ("stderr", "stdout"):
        return logging.StreamHandler(getattr(sys, path))
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise StartError(
            f'service::telemetry::logs::output_paths: cannot write "{path}": {error.strerror}; '
            "name stderr, stdout or a file that can be written"
        ) from error
