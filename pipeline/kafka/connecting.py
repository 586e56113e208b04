"""A client that gets its cluster sooner or later: a broker that is away at start delays data and loses none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from pipeline.component import Host
from pipeline.errors import Refused, Rejected
from pipeline.kafka.errors import delivery_error
from pipeline.supervisor import Status

_FIRST_PAUSE_S: Final = 0.25
_MAX_PAUSE_S: Final = 5.0
_ATTEMPT_S: Final = 60.0
_SAY_AGAIN_S: Final = 60.0
_DIAGNOSED: Final = 3
"""How many of the configured brokers are asked why none can be reached."""
_CONNECTION_ARGUMENTS: Final = (
    "client_id",
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_oauth_token_provider",
)


C = TypeVar("C")


class Outages:
    """Tells log and health of a component that its cluster is away, once per reason and minute, and that it is back.

    Call it on the main loop. Reasons may take turns: several requests fail at once, each in its own way.
    """

    def __init__(self, host: Host) -> None:
        """Of the component that `host` belongs to."""
        self._host = host
        self._said: dict[str, float] = {}

    def failed(self, error: Refused | Rejected) -> None:
        """The cluster cannot be used, for the reason that the error gives."""
        reason, now = str(error), self._host.clock.monotonic()
        self._host.report(Status.RECOVERABLE, reason)
        if now - self._said.get(reason, -_SAY_AGAIN_S) >= _SAY_AGAIN_S:
            self._said[reason] = now
            self._host.log.error("Kafka cannot be used. Trying again.", error=reason)

    @property
    def is_told(self) -> bool:
        """Whether an outage was told of that is not over."""
        return bool(self._said)

    def over(self) -> None:
        """The cluster answers."""
        if self._said:
            self._host.log.info("Kafka can be used again.")
        self._said.clear()
        self._host.report(Status.OK, "")


async def connected(
    make: Callable[[], C],
    arguments: Mapping[str, Any],
    on_failure: Callable[[Refused | Rejected], None],
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> C:
    """A client (AIOKafkaClient, producer, consumer, admin client) that has started.

    Tries for as long as it takes, with growing pauses; cancel it to give up.

    Args:
        make: builds a client; called for each attempt, on the loop that is running.
        arguments: those of `client_arguments`.
        on_failure: told after each attempt why it failed, on the loop that is running.
        sleep: waits for so many seconds.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        client = make()
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                await _start(client)
        except asyncio.CancelledError:
            await _close(client)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may go well
            await _close(client)
            on_failure(await why(arguments, error))
        else:
            return client
        await sleep(pause_s)
        pause_s = min(2 * pause_s, _MAX_PAUSE_S)


async def _start(client: Any) -> None:
    await (client.bootstrap if hasattr(client, "bootstrap") else client.start)()


async def _close(client: Any) -> None:
    with suppress(Exception):
        await (client.close if hasattr(client, "close") else client.stop)()


async def why(arguments: Mapping[str, Any], error: BaseException) -> Refused | Rejected:
    """Why no client could start: aiokafka says only that no broker can be reached, so one is asked directly."""
    if type(error).__name__ != "KafkaConnectionError":
        return delivery_error(error)
    from aiokafka.conn import collect_hosts, create_conn  # noqa: PLC0415 - only those who use Kafka have it

    given = {name: arguments[name] for name in _CONNECTION_ARGUMENTS if name in arguments}
    for address, port, _family in collect_hosts(list(arguments["bootstrap_servers"]))[:_DIAGNOSED]:
        try:
            connection = await create_conn(address, port, request_timeout_ms=10_000, **given)
        except Exception as found:  # noqa: BLE001 - the reason is what is asked for
            error = found
        else:
            connection.close()
    return delivery_error(error)
