"""The contracts: what a receiver, processor, exporter, connector and extension is to the engine.

A component is a class with a `Config` (a `pipeline.config.ConfigModel`) and a docstring whose first sentence says what
it does for its user. It is registered by an entry point and built by the engine with its configuration and a `Host`.

Admission: `await stage.consume(batch)` returns when the batch is admitted, that is when every stage up to the next one
that holds data has done its work and there is room. It raises `Refused` (come back) or `Rejected` (never); then the
caller still owns the batch. Once admitted, the stage that holds a part of the batch ends it, exactly once, through
`batch.delivery`. A caller that is cancelled while it waits owns the batch no more: whoever was at work on it ends it,
as failed (`batch.delivery.abandon()`) unless it was admitted after all.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

from pipeline.clock import Clock, SystemClock
from pipeline.config.ids import ComponentId
from pipeline.config.model import ConfigModel
from pipeline.errors import StartError
from pipeline.signals import Auth, Batch, Context, Outcome, Record, Rooms, Signal
from pipeline.supervisor import Status, Supervisor
from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter, MetricsRegistry
from pipeline.worker import ALONE, Worker

ALL_SIGNALS = frozenset(Signal)
T = TypeVar("T")
# By what lives as long as the process: reloads make new hosts.
_shared: WeakKeyDictionary[MetricsRegistry, dict[tuple[builtins.type, str], Any]] = WeakKeyDictionary()


@runtime_checkable
class Stage(Protocol):
    """Anything a batch can be handed to."""

    async def consume(self, batch: Batch) -> None:
        """Take the batch. Raises Refused or Rejected; the caller then still owns it, but not when it is cancelled."""

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room for this batch in the next stage that holds data. Raises Refused when there is none."""


def _report_nothing(_status: Status, _why: str) -> None:
    """Health reports of a component that runs outside a service."""


@dataclass(slots=True)
class Host:
    """What the engine gives a component: identity, log, metrics, clock, tasks and the extensions it may ask for."""

    id: ComponentId
    log: Log
    meter: Meter
    clock: Clock = field(default_factory=SystemClock)
    extensions: Mapping[ComponentId, Extension] = field(default_factory=dict)
    pipeline: str = ""
    """Id of the pipeline, for processors."""
    tenant_from: tuple[str, ...] = ()
    """Where the tenant of a record is looked up, in order (`service.tenant_from`)."""
    worker: Worker = ALONE
    """Which of `--workers N` this process is: names of files and group members that workers must not share."""
    report: Callable[[Status, str], None] = _report_nothing
    """`report(status, why)`: tell the health of the component."""
    tasks: Supervisor = field(init=False)

    def __post_init__(self) -> None:
        """Give the component its task group."""
        self.tasks = Supervisor(self.log, self.clock, self.report)

    def shared(self, kind: builtins.type[T], make: Callable[[], T]) -> T:
        """The one object of its kind for all instances of this component, made when first asked for.

        Instances of a processor in several pipelines see one another's, and a reload keeps it.
        """
        by_id: dict[tuple[builtins.type, str], Any] = _shared.setdefault(self.meter.registry, {})
        key = kind, str(self.id)
        if key not in by_id:
            by_id[key] = make()
        found: T = by_id[key]
        return found

    def authenticator(self, component_id: ComponentId | str) -> ServerAuthenticator:
        """The extension that checks clients. Raises StartError where it is not started, or checks nobody."""
        extension = self.extension(component_id)
        if not isinstance(extension, ServerAuthenticator):
            raise StartError(f'{self.id}: extension "{component_id}" is not a server authenticator')
        return extension

    def extension(self, component_id: ComponentId | str) -> Extension:
        """The extension a configuration names. Raises StartError where it is not in `service.extensions`."""
        try:
            return self.extensions[ComponentId.parse(str(component_id))]
        except KeyError:
            raise StartError(
                f'{self.id}: extension "{component_id}" is not started; add it to service::extensions'
            ) from None


class Component(ABC):
    """What all kinds share. Subclasses set `type`, `Config` and the class attributes that describe them.

    Attributes:
        type: the canonical name in configuration files.
        aliases: old names of the same component.
        signals: what it can work on.
        listens: whether it holds a port that a successor with another configuration may need.
        sees_all: of what one instance must see every part (`traces`: all spans of a trace, `series`: all that counts in
            one series), so that workers cannot share the work unless keyed receivers divide it; empty: of nothing.
        example: a smallest configuration that works, as the YAML below the component's id; stands in its reference
            page, and the conformance suite runs it. `$TMP` is a folder.
    """

    type: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    signals: ClassVar[frozenset[Signal]] = ALL_SIGNALS
    listens: ClassVar[bool] = False
    sees_all: ClassVar[Literal["", "traces", "series"]] = ""
    example: ClassVar[str] = ""
    Config: ClassVar[builtins.type[ConfigModel]]

    def __init__(self, config: Any, host: Host) -> None:
        """Keep configuration and host. Import heavy libraries here or in `start`, never at the top of the module."""
        self.config = config
        self.host = host

    async def start(self) -> None:  # noqa: B027 - many components need no start
        """Begin work. Raises StartError; what was begun before that is undone."""

    async def stop(self) -> None:
        """End work: flush what is held, end tasks, close sockets. Called once, also after a failed start."""
        await self.host.tasks.stop()

    @classmethod
    def not_shared(cls, config: Any) -> str:  # noqa: ARG003 - for those that say no
        """Why several processes cannot each run it with this configuration, and what to do instead; empty: they can."""
        return ""

    @classmethod
    def sees_all_of(cls, config: Any) -> Literal["", "traces", "series"]:  # noqa: ARG003 - for those it depends on
        """`sees_all` with this configuration."""
        return cls.sees_all

    async def reconfigure(self, config: Any) -> bool:
        """Take over a changed configuration while running (a reload); False when a new instance is needed.

        Components that listen implement it for the keys that do not concern their sockets.
        """
        return False


class Receiver(Component):
    """Takes telemetry in. One instance serves all its pipelines: `self.next` has a stage for each signal in use.

    Attributes:
        keyed: whether what belongs together (a trace, where senders key by trace) reaches one worker.
    """

    listens = True
    keyed: ClassVar[bool] = False
    next: Mapping[Signal, Stage]

    def connect(self, next_stages: Mapping[Signal, Stage]) -> None:
        """Set where data goes. Called before `start`, and again by a reload that keeps this receiver running."""
        self.next = next_stages

    @classmethod
    def awaits_delivery(cls, config: Any) -> str:  # noqa: ARG003 - for those that say yes
        """The key by which its clients wait for their answer until their data is delivered; empty: they do not."""
        return ""


class Processor(Component):
    """Works on batches of one pipeline.

    Most implement `process`, plain and synchronous: it is given slices of a batch, may read and write their views and
    drop records, and returns the batch it was given, or None when nothing of it is to go on. A processor that holds
    data back overrides `consume` (and `reserve`) instead and passes batches to `self.next`.

    Attributes:
        mutates: whether it writes to batches; a pipeline that writes gets a copy where others read the same batch.
        behind: types of processors whose work it reads; a configuration in which it stands before one gets a warning.
        before: types of processors that take away what it reads; one in which it stands behind one gets a warning.
        ahead: types of connectors that would count only what it leaves; a pipeline of it that feeds one gets a warning.
        keeps_unknown_fields: whether fields that OTLP does not have pass; else it takes them out on purpose.
    """

    mutates: ClassVar[bool] = True
    behind: ClassVar[frozenset[str]] = frozenset()
    before: ClassVar[frozenset[str]] = frozenset()
    ahead: ClassVar[frozenset[str]] = frozenset()
    keeps_unknown_fields: ClassVar[bool] = True
    next: Stage

    @classmethod
    def holds_for_long(cls, config: Any) -> str:  # noqa: ARG003 - for those that do
        """Why data rests in it, by design, for longer than clients wait for an answer; empty: it does not.

        Words that follow "which": `holds spans until their trace is decided`.
        """
        return ""

    def process(self, batch: Batch) -> Batch | None:
        """Work on one batch (or a slice of one) and return it; None drops what is left of it."""
        return batch

    def process_bytes(self, batch: Batch) -> tuple[bytes, int] | None:
        """Work on the bytes of a batch of which there are no views yet, where that costs less than making them.

        Returns the request as it goes on and how many records it has; None: `process` is to do it. What is dropped is
        counted with `count_dropped`.
        """
        return None

    async def consume(self, batch: Batch) -> None:
        """Process and pass on. The engine fuses neighbours that leave this alone into one loop."""
        if self.process(batch) is None:
            self.drop(batch, batch.records(), "dropped_by_processor")
        batch.settle()
        if batch.count:
            await self.next.consume(batch)
        else:
            batch.delivery.end(Outcome.DROPPED)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Pass the question on to the next stage that holds data."""
        await self.next.reserve(batch, rooms)

    def drop(self, batch: Batch, records: Iterable[Record], reason: str) -> None:
        """The only way to drop: the records leave the batch and are counted by component and reason."""
        self.count_dropped(batch.signal, batch.drop(records), reason)

    def count_dropped(self, signal: Signal, count: int, reason: str) -> None:
        """Count what was dropped in another way than by `drop`."""
        if count:
            labels = {"component": str(self.host.id), "reason": reason, "otel_signal": signal.value}
            registry = self.host.meter.registry
            registry.counter("penstock_dropped_items", "Items dropped on purpose, by reason.", labels).inc(count)


class Exporter(Component):
    """Sends batches to one backend. Queueing, batching, retry and timeout are the delivery stage's work.

    Attributes:
        ordered: whether batches are sent one after the other, each until it has arrived or is given up, so that none
            overtakes another, not even during a reload.
    """

    ordered: ClassVar[bool] = False

    @abstractmethod
    async def export(self, batch: Batch) -> None:
        """Send one batch; returns when the backend has it.

        Raises:
            Refused: the backend may take it later (with `retry_after_s` where it says when).
            Rejected: it never will; `divisible` when a part of the batch may be at fault.
        """


class Connector(Component):
    """Ends one pipeline and begins others: consumes batches and emits into `self.next` of each signal.

    Attributes:
        pairs: (from, to) signals it supports.
        forwards: whether it passes on the very batches it is given.
    """

    pairs: ClassVar[frozenset[tuple[Signal, Signal]]]
    forwards: ClassVar[bool] = False
    next: Mapping[Signal, Stage]

    def connect(self, next_stages: Mapping[Signal, Stage]) -> None:
        """Set where data goes, by signal."""
        self.next = next_stages

    @abstractmethod
    async def consume(self, batch: Batch) -> None:
        """Take the batch and end its delivery (or pass it on)."""

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room where the batch goes on; connectors that aggregate need none."""


class Extension(Component):
    """Serves the process or other components: health, authentication, storage."""


@runtime_checkable
class PipelineWatcher(Protocol):
    """An extension that wants to know whether data can flow (health checks)."""

    def pipelines_ready(self) -> None:
        """Every receiver runs."""

    def pipelines_not_ready(self) -> None:
        """Intake is about to stop."""


@runtime_checkable
class Committing(Protocol):
    """A receiver that tells its source what was delivered, such as a consumer that commits offsets.

    At the end it is asked to take nothing more, then the stages behind it drain, and only then it is stopped.
    """

    async def stop_intake(self) -> None:
        """Take nothing more; go on telling the source what is delivered. `stop` follows."""


@runtime_checkable
class ServerAuthenticator(Protocol):
    """An extension that checks who sends (`auth.authenticator` of a receiver)."""

    async def authenticate(self, context: Context) -> Auth:
        """Who the sender is, by the headers in `context.metadata`. Raises Unauthenticated."""


@runtime_checkable
class ClientAuthenticator(Protocol):
    """An extension that proves who we are (`auth.authenticator` of an exporter)."""

    async def headers(self) -> Mapping[str, str]:
        """Headers to add to a request, lower-case names."""
