"""What the client library does not tell or do by itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

_CLOSE_LIMIT_S: Final = 10.0


def is_member(client: Any) -> bool:
    """Whether the group still counts us in: offsets of others must not be overwritten."""
    coordinator = getattr(client, "_coordinator", None)
    return coordinator is not None and coordinator.generation >= 0


async def closed(client: Any) -> None:
    """Close a client whose brokers need not be there."""
    try:
        await asyncio.wait_for(client.stop(), _CLOSE_LIMIT_S)
    except TimeoutError:
        with suppress(Exception):
            await client._client.close()  # noqa: SLF001 - what `stop` did not come to
