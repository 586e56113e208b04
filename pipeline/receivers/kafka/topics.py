"""Which topics are read, and which signal a topic holds."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config import Pattern
from pipeline.receivers.kafka.config import KafkaReceiverConfig
from pipeline.signals import Signal


class Topics:
    """The topics of the signals in use.

    A name written out comes before an expression, traces before metrics and logs.
    """

    def __init__(self, config: KafkaReceiverConfig, signals: Iterable[Signal]) -> None:
        """Compile the expressions of these signals."""
        # What was put there by this receiver must not come in again.
        self._dead_letters = config.dead_letter.topic if config.dead_letter is not None else ""
        self._literal: dict[str, Signal] = {}
        self._expressions: list[tuple[Pattern, tuple[Pattern, ...], Signal]] = []
        for signal in sorted(signals, key=list(Signal).index):
            excluded = tuple(Pattern(each) for each in config.block(signal).all_excluded)
            for topic in config.topics_of(signal):
                if topic.startswith("^"):
                    self._expressions.append((Pattern(topic), excluded, signal))
                else:
                    self._literal.setdefault(topic, signal)

    def signal_of(self, topic: str) -> Signal | None:
        """The signal in a topic, None for a topic that is not read."""
        signal = self._literal.get(topic)
        if signal is not None or topic == self._dead_letters or topic.startswith("__"):
            # Topics that begin so are Kafka's own.
            return signal
        for expression, excluded, signal in self._expressions:
            if expression.regex.search(topic) and not any(each.regex.search(topic) for each in excluded):
                return signal
        return None

    def among(self, existing: Iterable[str]) -> frozenset[str]:
        """Those of the topics that exist which are to be read."""
        return frozenset(topic for topic in existing if self.signal_of(topic) is not None)

    def missing(self, existing: Iterable[str]) -> frozenset[str]:
        """Topics written out that do not exist, and expressions that match none."""
        there = self.among(existing)
        idle = (
            expression.source
            for expression, _excluded, _signal in self._expressions
            if not any(expression.regex.search(topic) for topic in there)
        )
        return frozenset(self._literal).difference(there).union(idle)
