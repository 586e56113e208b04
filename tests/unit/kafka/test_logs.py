"""aiokafka's log: few lines of it reach ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from pipeline.kafka.logs import OncePerPause, calm


@pytest.fixture
def now() -> list[float]:
    return [0.0]


class Lines(logging.Handler):
    """What reaches the root's handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler.lines
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def library(now: list[float]) -> Iterator[logging.Logger]:
    logger = logging.getLogger("library-for-tests")
    logger.addHandler(OncePerPause(lambda: now[0]))
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()
    logger.propagate = True


def test_one_line_a_minute_of_each_call_site(library: logging.Logger, now: list[float], lines: list[str]) -> None:
    for now[0] in (0.0, 1.0, 59.0, 60.0, 61.0):
        library.error("Something new from %s", "a")
        library.warning("Another %s", "b")
    assert lines == ["Something new from a", "Another b"] * 2


def test_what_is_known_and_what_is_no_warning_stays_away(library: logging.Logger, lines: list[str]) -> None:
    library.warning("Sending username and password in the clear")
    library.error('Unable connect to "%s:%s": %s', "127.0.0.1", 9, "refused")
    library.error("Group Coordinator Request failed: %s", "x")
    library.error("Topic %s not found in cluster metadata", "spans")
    library.info("Authenticated as %s", "alice")
    library.debug("Request %s", "with telemetry in it")
    assert lines == []


def test_calm_is_put_in_place_once() -> None:
    calm()
    calm()
    logger = logging.getLogger("aiokafka")
    assert sum(isinstance(handler, OncePerPause) for handler in logger.handlers) == 1
    assert not logging.getLogger("aiokafka.conn").isEnabledFor(logging.INFO)
    assert not logger.propagate
