"""Configuration of the `kafka` receiver (Collector v0.145: contrib's receiver/kafkareceiver)."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey, Pattern, refused
from pipeline.delivery.settings import RetryOnFailure
from pipeline.kafka.dead_letters import DeadLetterTopic
from pipeline.kafka.encodings import DEFAULT, check_encoding
from pipeline.kafka.settings import KafkaClient
from pipeline.kafka.topic_names import WRONG_NAME, is_topic_name
from pipeline.signals import Signal

Strategy = Literal["cooperative-sticky", "sticky", "range", "roundrobin"]

_DEFAULT_PROFILES: Final = {
    "topics": ["otlp_profiles"],
    "topic": "",
    "encoding": "otlp_proto",
    "exclude_topics": [],
    "exclude_topic": "",
}
"""What the Collector prints as effective, and what asks for nothing."""


class SignalTopics(ConfigModel):
    """Where one signal is read from, and in which encoding."""

    signal: ClassVar[Signal]
    default_topic: ClassVar[str]

    topics: tuple[str, ...] = Field(
        (), description="Topics; those that begin with ^ are RE2 expressions. By default the Collector's topic."
    )
    topic: str = Field("", description="Deprecated form of `topics` with one topic.")
    encoding: str = Field("", description="Encoding of the records; otlp_proto by default.")
    exclude_topics: tuple[str, ...] = Field(
        (), description="RE2 expressions: topics that the expressions in `topics` match and that are not read."
    )
    exclude_topic: str = Field("", description="Deprecated form of `exclude_topics` with one expression.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        name = type(self).signal.value
        for old, new in (("topic", "topics"), ("exclude_topic", "exclude_topics")):
            if getattr(self, old) and getattr(self, new):
                raise InvalidKey(f"both {name}.{old} and {name}.{new} cannot be set", old)
        self._check_expressions(name)
        if self.encoding:
            try:
                check_encoding(type(self).signal, self.encoding)
            except ValueError as error:
                raise InvalidKey(str(error), "encoding") from None
        return self

    def _check_expressions(self, name: str) -> None:
        excluded = self.all_excluded
        key = "exclude_topics" if self.exclude_topics else "exclude_topic"
        if excluded and not any(topic.startswith("^") for topic in self.all_topics):
            raise InvalidKey(
                f"{name}.{key} is configured but none of the configured {name}.topics use regex pattern "
                "(must start with '^')",
                key,
            )
        for topic in self.all_topics:
            _check_topic(topic, "topic" if self.topic else "topics")
        for expression in excluded:
            _check_expression(expression, key)

    @property
    def all_topics(self) -> tuple[str, ...]:
        """Topics and expressions as they are written, in the new or the old form; empty where none are."""
        return (self.topic,) if self.topic else self.topics

    @property
    def all_excluded(self) -> tuple[str, ...]:
        """Expressions of topics that are not read."""
        return (self.exclude_topic,) if self.exclude_topic else self.exclude_topics


def _check_topic(topic: str, key: str) -> None:
    if topic.startswith("^"):
        _check_expression(topic, key)
    elif not is_topic_name(topic):
        raise InvalidKey(WRONG_NAME, key)


def _check_expression(expression: str, key: str) -> None:
    try:
        Pattern(expression)
    except ValueError as error:
        raise InvalidKey(str(error), key) from None


class TracesTopics(SignalTopics):
    """Where traces are read from."""

    signal = Signal.TRACES
    default_topic = "otlp_spans"


class MetricsTopics(SignalTopics):
    """Where metrics are read from."""

    signal = Signal.METRICS
    default_topic = "otlp_metrics"


class LogsTopics(SignalTopics):
    """Where logs are read from."""

    signal = Signal.LOGS
    default_topic = "otlp_logs"


class Autocommit(ConfigModel):
    """When offsets are committed of what has been delivered."""

    enable: bool = Field(True, description="Without it nothing is ever committed: a restart begins anew.")
    interval: Duration = Field(
        0.02, gt=0, description="Least time between two commits; what is not committed is read again behind a crash."
    )


class MessageMarking(ConfigModel):
    """Which records count as done; Penstock commits behind delivery in any case."""

    after: bool = Field(False, description="No effect: an offset is committed when its data has been delivered.")
    on_error: bool = Field(
        False, description="Pass over what pipelines or backends cannot take at the moment, as lost, and count it."
    )
    on_permanent_error: bool = Field(
        False,
        description="No effect: a record that can never be delivered goes to dead_letter::topic or is counted as lost, "
        "and its partition goes on. A written false without such a topic is warned of.",
    )


class HeaderExtraction(ConfigModel):
    """Record headers that become resource attributes."""

    extract_headers: bool = Field(False, description="Whether headers become resource attributes.")
    headers: tuple[str, ...] = Field((), description="Names of headers; the attribute is `kafka.header.<name>`.")


class ErrorBackoff(RetryOnFailure):
    """How records are offered again that the pipelines do not take at the moment."""

    enabled: bool = Field(
        False, description="Whether the keys below hold; without them offers are repeated for ever, 0.1s to 5s apart."
    )
    max_elapsed_time: Duration = Field(
        300.0, description="End of the attempts with message_marking::on_error; without it there is none. 0: no end."
    )


class KafkaReceiverConfig(KafkaClient):
    """Keys of the Collector's kafka receiver, and a few of our own at the end."""

    traces: TracesTopics = Field(TracesTopics(), description="Where traces are read from.")
    metrics: MetricsTopics = Field(MetricsTopics(), description="Where metrics are read from.")
    logs: LogsTopics = Field(LogsTopics(), description="Where logs are read from.")
    profiles: dict[str, Any] | None = refused(
        "profiles are no signal of this release; leave the key out", accept=(_DEFAULT_PROFILES,)
    )
    topic: str = Field("", description="Old form: the topic of every signal whose block names none.")
    encoding: str = Field("", description="Old form: the encoding of every signal whose block names none.")
    group_id: str = Field("otel-collector", min_length=1, description="The consumer group.")
    group_instance_id: str = Field(
        "",
        description="Static membership: a member that comes back within session_timeout keeps its partitions. With "
        "several workers, -<worker index> is appended.",
    )
    initial_offset: Literal["latest", "earliest"] = Field(
        "latest", description="Where a group begins that has committed nothing."
    )
    session_timeout: Duration = Field(10.0, gt=0, description="A member silent for so long has left.")
    heartbeat_interval: Duration = Field(3.0, gt=0, description="Time between signs of life; below session_timeout.")
    group_rebalance_strategy: Strategy | None = Field(
        None, description="How partitions are shared out; cooperative-sticky by default, which works as sticky here."
    )
    group_rebalance_strategies: tuple[Strategy, ...] = Field(
        (), description="The same as a list, in order of preference; members agree on one that all know."
    )
    min_fetch_size: int = Field(1, ge=0, description="Bytes that a broker waits for before it answers.")
    max_fetch_size: int = Field(1048576, ge=0, description="Most bytes of one answer; 0: 50 MiB.")
    max_fetch_wait: Duration = Field(0.25, ge=0, description="Longest time that a broker waits for min_fetch_size.")
    max_partition_fetch_size: int = Field(
        1048576, gt=0, description="Most bytes of one partition in one answer; a larger record still comes, alone."
    )
    autocommit: Autocommit = Field(Autocommit(), description="When offsets are committed.")
    message_marking: MessageMarking = Field(MessageMarking(), description="Which records count as done.")
    header_extraction: HeaderExtraction = Field(HeaderExtraction(), description="Headers as resource attributes.")
    error_backoff: ErrorBackoff = Field(ErrorBackoff(), description="How refused records are offered again.")
    telemetry: dict[str, Any] | None = refused(
        "metrics of the receiver are chosen by service::telemetry::metrics::level", while_off=True
    )
    dead_letter: DeadLetterTopic | None = Field(
        None, description="Topic for records that cannot be decoded or delivered; without it they are counted as lost."
    )
    max_unresolved_bytes: int = Field(
        256 << 20, gt=0, description="Bytes read and not yet delivered, beyond which no more are fetched."
    )
    max_join_bytes: int = Field(
        1 << 20,
        ge=0,
        description="Records of a partition with equal headers become one batch of so many bytes; 0: none.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_fetch_size and self.max_fetch_size < self.min_fetch_size:
            raise InvalidKey(
                f"max_fetch_size ({self.max_fetch_size}) cannot be less than min_fetch_size ({self.min_fetch_size})",
                "max_fetch_size",
            )
        if self.group_rebalance_strategy is not None and self.group_rebalance_strategies:
            raise InvalidKey(
                "group_rebalance_strategy and group_rebalance_strategies cannot both be set", "group_rebalance_strategy"
            )
        if self.heartbeat_interval >= self.session_timeout:
            raise InvalidKey("heartbeat_interval must be below session_timeout", "heartbeat_interval")
        if self.topic:
            _check_topic(self.topic, "topic")
        if self.encoding:
            self._check_old_encoding()
        self._check_topics_apart()
        self._check_dead_letters()
        return self

    def _check_old_encoding(self) -> None:
        """The old key speaks of all signals; it must fit one of them at least."""
        problems = []
        for signal in Signal:
            try:
                check_encoding(signal, self.encoding)
            except ValueError as error:
                problems.append(str(error))
        if len(problems) == len(Signal):
            raise InvalidKey(problems[0], "encoding")

    def _check_dead_letters(self) -> None:
        if self.dead_letter is not None and any(self.dead_letter.topic in self.topics_of(signal) for signal in Signal):
            raise InvalidKey(
                f'"{self.dead_letter.topic}" is read by this receiver: its dead letters would go round for ever',
                "dead_letter",
                "topic",
            )

    def _check_topics_apart(self) -> None:
        if self.topic:
            return
        seen: dict[str, Signal] = {}
        for block in (self.traces, self.metrics, self.logs):
            for topic in self.topics_of(block.signal):
                other = seen.setdefault(topic, block.signal)
                if other is not block.signal:
                    raise InvalidKey(
                        f'topic "{topic}" stands under {other.value} and {block.signal.value}; it can hold one signal',
                        block.signal.value,
                    )

    def block(self, signal: Signal) -> SignalTopics:
        """What is configured of one signal."""
        blocks: dict[Signal, SignalTopics] = {
            Signal.TRACES: self.traces,
            Signal.METRICS: self.metrics,
            Signal.LOGS: self.logs,
        }
        return blocks[signal]

    def topics_of(self, signal: Signal) -> tuple[str, ...]:
        """Topics and expressions that a signal is read from."""
        block = self.block(signal)
        return block.all_topics or ((self.topic,) if self.topic else (block.default_topic,))

    def encoding_of(self, signal: Signal) -> str:
        """The encoding of a signal's records."""
        return self.block(signal).encoding or self.encoding or DEFAULT

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """Rebalance strategies in order of preference."""
        return self.group_rebalance_strategies or (self.group_rebalance_strategy or "cooperative-sticky",)
