"""Whose a trace is: the tenant by `service.tenant_from`, of its first spans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from pipeline.signals import Context
from pipeline.signals.values import from_any_value
from processors.trace_buffer.heads import Head

_RESOURCE: Final = "resource."


class Tenants:
    """Looks tenants up, for each request and resource once."""

    def __init__(self, tenant_from: Sequence[str]) -> None:
        """Where to look, in order: `auth.X`, `metadata.X`, `resource.X`."""
        self._sources = tuple(tenant_from)

    def of(self, context: Context) -> Callable[[Head], str]:
        """For the spans of one request: the tenant of each head; empty where there is none."""
        names: list[str] = []
        for source in self._sources:
            if source.startswith(_RESOURCE):
                names.append(source.removeprefix(_RESOURCE))
            elif found := context.lookup(source):
                return _Lookup(names, found)
        return _Lookup(names, "")


class _Lookup:
    """Attributes of the resource that come first, else what the request says."""

    def __init__(self, names: Sequence[str], otherwise: str) -> None:
        self._names = names
        self._otherwise = otherwise
        self._known: dict[Head, str] = {}

    def __call__(self, head: Head) -> str:
        if not self._names:
            return self._otherwise
        tenant = self._known.get(head)
        if tenant is None:
            tenant = self._known[head] = self._look(head)
        return tenant

    def _look(self, head: Head) -> str:
        pairs = ResourceSpans.FromString(head.resource).resource.attributes
        said = {pair.key: pair.value for pair in reversed(pairs) if pair.key in self._names}
        for name in self._names:
            if name in said and (found := from_any_value(said[name])) not in (None, ""):
                return str(found)
        return self._otherwise
