"""The life of a configuration: start, reload, drain, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from pipeline.clock import Clock, SystemClock
from pipeline.component import Committing, Component, PipelineWatcher, Receiver, ServerAuthenticator
from pipeline.config.ids import ComponentId
from pipeline.config.settings import Settings
from pipeline.errors import PenstockError, StartError
from pipeline.graph import Graph, describe
from pipeline.heap import settle
from pipeline.registry import Kind
from pipeline.telemetry import Telemetry
from pipeline.telemetry.reloads import ReloadNews
from pipeline.transport.admin import Authenticate, counting
from pipeline.worker import Worker

# What a reload may wait for deliveries of the old set that end on it.
_OLD_SET_DRAIN_S: Final = 30.0
# Of what is left of the time to drain, for stages whose dead letters others still have to take.
_SHARE_IN_FRONT: Final = 0.8


class Service:
    """Runs one configuration, and replaces it by another without losing what is under way.

    Args:
        settings: the configuration to run.
        reload: reads the configuration again; raises ConfigError when it cannot be used.
    """

    def __init__(self, settings: Settings, reload: Callable[[], Settings] | None = None) -> None:
        """Prepare; `start` begins."""
        self._clock: Clock = SystemClock()
        self._reload = reload
        self._reloading = asyncio.Lock()
        self._retired: set[asyncio.Task[None]] = set()
        self.telemetry = Telemetry(
            settings.service.telemetry,
            self._clock,
            worker=Worker.of_environment(),
            find_authenticator=self._authenticator,
        )
        self.log = self.telemetry.log()
        self.graph = Graph(settings, self.telemetry, self._clock)
        self._news = ReloadNews(self.telemetry.meter({}), self.log)

    async def start(self) -> None:
        """Start everything, receivers last. Raises StartError; then nothing runs any more."""
        await self.telemetry.start()
        self._warn(self.graph.settings)
        change = _Change(self.graph, None)
        try:
            await change.apply()
        except BaseException:
            await self.telemetry.stop()
            raise
        _tell_watchers(self.graph, ready=True)
        self.log.info("Everything is ready. Begin running and processing data.")

    def _authenticator(self, component_id: ComponentId) -> Authenticate:
        extension: object = self.graph.extensions.get(component_id)
        if not isinstance(extension, ServerAuthenticator):
            raise StartError(f'extension "{component_id}" is not a server authenticator')
        return counting(extension.authenticate, self.telemetry.meter({"component": "own_metrics"}))

    def _warn(self, settings: Settings) -> None:
        for warning in settings.warnings:
            self.log.warning(warning.message, position=f"{warning.file}:{warning.line}:{warning.column}")

    async def reload(self) -> bool:
        """Read the configuration again and change over to it; False when the old one runs on."""
        assert self._reload is not None, "a service without a source cannot reload"  # noqa: S101 - the caller's contract
        async with self._reloading:
            self._news.begun()
            try:
                settings = await asyncio.to_thread(self._reload)
                await self.change_to(settings)
            except Exception as error:  # noqa: BLE001 - whatever a new component raises, the old set runs on
                self._news.ended(str(error) if isinstance(error, PenstockError) else describe(error))
                return False
            self._news.ended()
            return True

    async def change_to(self, settings: Settings) -> None:
        """Build and start the new set, switch receivers over, let the old set finish what it has.

        Raises:
            PenstockError: the new set cannot run; the old one does.
        """
        old = self.graph
        new = Graph(settings, self.telemetry, self._clock, previous=old)
        change = _Change(new, old)
        await change.apply()
        # From here on, since the page of own metrics may ask for extensions that are new.
        self.graph = new
        try:
            await self.telemetry.apply(settings.service.telemetry)
        except BaseException:
            self.graph = old
            await change.undo()
            raise
        self._warn(settings)
        _tell_watchers(new, ready=True)
        earlier = tuple(self._retired)
        retired = asyncio.create_task(_retire(old, new, change.stopped, earlier), name="retire the old set")
        self._retired.add(retired)
        retired.add_done_callback(self._ended)

    def _ended(self, retired: asyncio.Task[None]) -> None:
        self._retired.discard(retired)
        settle()

    async def stop(self) -> None:
        """Stop intake, flush and drain within `service.drain_timeout`, stop the rest."""
        self.log.info("Starting shutdown...")
        graph = self.graph
        _tell_watchers(graph, ready=False)
        committing = await _stop_intake(graph.receivers.values())
        drain = _drain(graph, graph.settings.service.drain_timeout_s)
        await asyncio.gather(drain, *self._retired, return_exceptions=True)
        await _stop_all(committing)
        await _stop_all(graph.exporters.values())
        await _stop_all(graph.extensions.values())
        await graph.tasks.stop()
        self.log.info("Shutdown complete.")
        await self.telemetry.stop()


class _Change:
    """The step from one set of components to the next, which either happens or leaves the old set running."""

    def __init__(self, new: Graph, old: Graph | None) -> None:
        self._new = new
        self._old = old
        self._started: list[Component] = []
        self._replaced: list[tuple[Kind, Component]] = []
        self._switched: list[Receiver] = []
        self._reconfigured: list[tuple[Receiver, Any]] = []

    @property
    def stopped(self) -> list[Component]:
        """Components of the old set that were stopped for their successors."""
        return [component for _, component in self._replaced]

    async def apply(self) -> None:
        """Start what is new, receivers last. Raises StartError, with everything as it was."""
        new = self._new
        try:
            for extension in new.extensions.values():
                await self._start(extension, Kind.EXTENSION)
            for kind, component in new.behind_receivers():
                await self._start(component, kind)
            for delivery in new.deliveries.values():
                await delivery.start()
            for component_id in new.receivers:
                await self._bring_in(component_id)
        except BaseException:
            await self.undo()
            raise
        for receiver in self._switched:
            receiver.connect(new.stages_of(receiver.host.id))

    async def _bring_in(self, component_id: ComponentId) -> None:
        """Keep a running receiver where that is possible, since its clients are connected to it; else start it."""
        receiver = self._new.receivers[component_id]
        running = self._old.receivers.get(component_id) if self._old is not None else None
        if running is not None and running is not receiver and type(running) is type(receiver):
            before = running.config
            if await running.reconfigure(receiver.config):
                self._reconfigured.append((running, before))
                receiver = self._new.receivers[component_id] = running
        if running is receiver:
            self._switched.append(receiver)
        else:
            receiver.connect(self._new.stages_of(component_id))
            await self._start(receiver, Kind.RECEIVER)

    def _is_running(self, component: Component, kind: Kind) -> bool:
        return self._old is not None and self._old.find(kind, component.host.id) is component

    async def _start(self, component: Component, kind: Kind) -> None:
        if self._is_running(component, kind):
            return
        predecessor = self._old.find(kind, component.host.id) if self._old is not None else None
        if predecessor is not None and _listens(predecessor):
            # Its successor may need the same port: stop it first, and bring it back should the change fail.
            await predecessor.stop()
            self._replaced.append((kind, predecessor))
        self._started.append(component)
        try:
            await component.start()
        except PenstockError:
            raise
        except Exception as error:
            raise StartError(f'failed to start "{component.host.id}" {kind.singular}: {describe(error)}') from error

    async def undo(self) -> None:
        """Stop what was started, with what it has taken in sent on, and bring back what was stopped."""
        receivers = [component for component in self._started if isinstance(component, Receiver)]
        committing = await _stop_intake(receivers)
        await _drain(self._new, _OLD_SET_DRAIN_S, only=self._started)
        await _stop_all(committing)
        holders = self._new.holders()
        await _stop_all(c for c in reversed(self._started) if c not in holders and c not in receivers)
        await self._new.tasks.stop()
        if self._old is not None:
            await self._bring_back(self._old)

    async def _bring_back(self, old: Graph) -> None:
        for receiver, config in self._reconfigured:
            try:
                taken = await receiver.reconfigure(config)
            except Exception:  # noqa: BLE001 - the others are to come back
                taken = False
            if not taken:
                receiver.host.log.error("Receiver kept the configuration of a failed reload.")
        for receiver in self._switched:
            receiver.connect(old.stages_of(receiver.host.id))
        for kind, component in self._replaced:
            try:
                await old.revive(kind, component.host.id)
            except Exception as error:  # noqa: BLE001 - the others are to come back
                component.host.log.error("Component did not come back after a failed reload.", error=describe(error))
        for delivery in old.deliveries.values():
            # Gauges of the same name that the new set had put in their place are gone with it.
            await delivery.start()
        _tell_watchers(old, ready=True)


def _listens(component: Component) -> bool:
    """Whether the component holds a socket that its successor may need."""
    return type(component).listens


def _tell_watchers(graph: Graph, *, ready: bool) -> None:
    for extension in graph.extensions.values():
        if isinstance(extension, PipelineWatcher):
            extension.pipelines_ready() if ready else extension.pipelines_not_ready()


async def _stop_all(components: Iterable[Component]) -> None:
    for component in components:
        try:
            await component.stop()
        except Exception as error:  # noqa: BLE001 - the others are to stop, too
            component.host.log.error("Component did not stop in good order.", error=describe(error))


async def _stop_intake(receivers: Iterable[Component]) -> list[Component]:
    """Stop receivers, side by side; returned are those to be stopped when what they took in has been delivered."""
    committing: list[Component] = []
    ends = []
    for receiver in receivers:
        if isinstance(receiver, Committing):
            committing.append(receiver)
            ends.append(receiver.stop_intake())
        else:
            ends.append(receiver.stop())
    await asyncio.gather(*ends, return_exceptions=True)
    return committing


async def _drain(graph: Graph, deadline_s: float, only: Container[Component] | None = None) -> None:
    """Flush processors and connectors (`only` these), then send what queues hold, all within one deadline."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    stops: dict[Component, asyncio.Task[None]] = {}
    # Each when what feeds it is done: one that its backend holds up does not cost the others their time.
    for component, feeders in graph.holders().items():
        if only is None or component in only:
            waits = [stops[feeder] for feeder in feeders if feeder in stops]
            stops[component] = loop.create_task(_stop_after(component, waits, end), name="flush")
    await asyncio.gather(*stops.values())
    order = graph.delivery_order()
    for stages in order:
        left_s = max(0.0, end - loop.time())
        share_s = left_s if stages is order[-1] else _SHARE_IN_FRONT * left_s
        await asyncio.gather(*(delivery.drain(share_s) for delivery in stages), return_exceptions=True)


async def _stop_after(component: Component, feeders: Sequence[asyncio.Task[None]], end: float) -> None:
    if feeders:
        await asyncio.wait(feeders)
    with suppress(TimeoutError):
        async with asyncio.timeout_at(end):
            await _stop_all([component])


async def _retire(old: Graph, new: Graph, stopped: Container[Component], earlier: Iterable[asyncio.Task[None]]) -> None:
    """Let the old set end: stop receivers that are gone, drain, stop exporters and extensions that are gone.

    `earlier` sets may still deliver through the exporters of this one.
    """

    def gone(old_set: Mapping[ComponentId, Component], new_set: Mapping[ComponentId, Component]) -> list[Component]:
        return [c for i, c in old_set.items() if new_set.get(i) is not c and c not in stopped]

    committing = await _stop_intake(gone(old.receivers, new.receivers))
    await _drain(old, _OLD_SET_DRAIN_S)
    await _stop_all(committing)
    await asyncio.gather(*earlier, return_exceptions=True)
    await _stop_all(gone(old.exporters, new.exporters))
    await _stop_all(gone(old.extensions, new.extensions))
    await old.tasks.stop()
