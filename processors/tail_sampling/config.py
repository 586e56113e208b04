"""What the user says about `tail_sampling`: the Collector's keys, and those of this processor alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration, InvalidKey
from processors.tail_sampling.decision_topic_config import DecisionTopicConfig
from processors.tail_sampling.policy_config import PolicyList, check_stateless
from processors.trace_buffer.config import BufferConfig

_MAX_SHARDS = 256


class DecisionCacheConfig(ConfigModel):
    """What is remembered of traces that are decided, so that late spans meet the same fate."""

    sampled_cache_size: int = Field(0, ge=0, description="Kept traces to remember at least.")
    non_sampled_cache_size: int = Field(0, ge=0, description="Dropped traces to remember at least.")
    max_bytes: int = Field(
        16 << 20,
        ge=1 << 16,
        description="Memory for both, bytes; 64 MiB remember 94 % of a day at a million drops an hour.",
    )
    topic: DecisionTopicConfig | None = Field(
        None,
        description="Kafka topic in which workers tell each other their decisions; absent: they do not. `topic` is its "
        "name; other keys are those of the Kafka exporter: `brokers`, `tls`, `auth`, `metadata`, `client_id`, ...",
    )


class DeadlineConfig(ConfigModel):
    """When a trace is decided by what it looks like, in place of `decision_wait`."""

    settle: Duration = Field(2.0, ge=0, description="Quiet time once the root span has ended.")
    idle: Duration = Field(10.0, gt=0, description="Quiet time without a root span.")
    max_age: Duration = Field(300.0, gt=0, description="Longest wait from the first span.")
    max_spans: int = Field(32_000, ge=1, description="Spans of a trace at which it is decided.")
    max_bytes: int = Field(64 << 20, ge=1, description="Bytes of a trace at which it is decided.")
    early_keep: bool = Field(
        True, description="Let a trace go as soon as a policy keeps it for certain; later spans pass through."
    )


class OverloadConfig(ConfigModel):
    """What becomes of new traces when there is no room for them even after waits were shortened."""

    sampling_percentage: float = Field(
        10.0, ge=0, le=100, description="Share of new traces that are kept, by their id alone and at once."
    )


class SessionConfig(ConfigModel):
    """One fate for all traces of a conversation."""

    keys: tuple[str, ...] = Field(
        ("gen_ai.conversation.id", "session.id"), min_length=1, description="Attributes with the id of the session."
    )


class TailSamplingConfig(ConfigModel):
    """How long traces wait, where, and by which policies they are decided."""

    decision_wait: Duration = Field(30.0, ge=0, description="Time from the first span of a trace to its decision.")
    decision_wait_after_root_received: Duration = Field(
        0.0, ge=0, description="Time from the root span to the decision, where that is sooner; 0: no difference."
    )
    num_traces: int = Field(50_000, ge=1, description="Traces that may wait, of all workers.")
    expected_new_traces_per_sec: int = Field(0, ge=0, description="A hint that needs no setting here.")
    block_on_overflow: bool = Field(False, description="Refuse data while the buffer is full, in place of other means.")
    sample_on_first_match: bool = Field(False, description="Ask no more policies once one has kept a trace.")
    drop_pending_traces_on_shutdown: bool = Field(False, description="Do not decide at the end what still waits.")
    maximum_trace_size_bytes: int = Field(0, ge=0, description="Larger traces are dropped; 0: no limit.")
    decision_cache: DecisionCacheConfig = Field(default_factory=DecisionCacheConfig, description="Decision memory.")
    sampling_strategy: Literal["trace-complete", "span-ingest"] = Field(
        "trace-complete", description="Decide at the deadline, or with each span that arrives."
    )
    num_shards: int = Field(1, ge=0, le=_MAX_SHARDS, description="Accepted; one event loop needs no shards.")
    deadline: DeadlineConfig | None = Field(None, description="Decide by what a trace looks like.")
    buffer: BufferConfig = Field(default_factory=BufferConfig, description="Where undecided traces wait.")
    overload: OverloadConfig = Field(default_factory=OverloadConfig, description="The last step under overload.")
    session: SessionConfig | None = Field(None, description="One fate for all traces of a conversation.")
    weights: bool | None = Field(
        None,
        description="Write threshold, rule and count on kept spans; default: with `session` or policies the "
        "Collector lacks.",
    )
    legacy_invert_match: bool = Field(False, description="Precedence of inverted policies as up to contrib v0.126.")
    dry_run: bool = Field(False, description="Drop nothing; mark each span with what would have been.")
    policies: PolicyList = Field(description="What is kept.")

    @model_validator(mode="after")
    def _is_consistent(self) -> TailSamplingConfig:
        if not self.policies:
            raise InvalidKey("without a policy every trace would be dropped: name at least one", "policies")
        if self.deadline is not None:
            for key in ("decision_wait", "decision_wait_after_root_received"):
                if key in self.model_fields_set:
                    raise InvalidKey(f"{key} has no effect beside deadline: leave one of them out", key)
        if self.session is not None and self.weights is False:
            raise InvalidKey(
                "a session shares one fate by its randomness, which is only used with weights: remove weights: false, "
                "or session", "weights",
            )  # fmt: skip
        if self.sampling_strategy == "span-ingest":
            check_stateless(self.policies)
        return self
