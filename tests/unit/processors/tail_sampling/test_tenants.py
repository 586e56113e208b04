"""Whose a trace is."""

from __future__ import annotations

import pytest

from pipeline.signals import Auth, Context
from pipeline.testing import trace_request
from processors.tail_sampling.tenants import Tenants
from processors.trace_buffer.heads import Head, Heads

HEADS = Heads()
SOURCES = ("auth.subject", "metadata.x-scope-orgid", "resource.tenant.id", "metadata.last")


def head(**resource: str) -> Head:
    group = trace_request(resource={key.replace("_", "."): value for key, value in resource.items()}).resource_spans[0]
    return HEADS.get(b"", group.SerializeToString(), b"")


@pytest.mark.parametrize(
    ("context", "resource", "tenant"),
    [
        (Context(), {}, ""),
        (Context(), {"tenant_id": "r"}, "r"),
        (Context(metadata={"x-scope-orgid": ("m",)}), {"tenant_id": "r"}, "m"),
        (Context(auth=Auth("a"), metadata={"x-scope-orgid": ("m",)}), {"tenant_id": "r"}, "a"),
        (Context(metadata={"last": ("l",)}), {"tenant_id": "r"}, "r"),
        (Context(metadata={"last": ("l",)}), {"tenant_id": ""}, "l"),
    ],
)
def test_the_first_hit_counts(context: Context, resource: dict[str, str], tenant: str) -> None:
    found = Tenants(SOURCES).of(context)
    assert [found(head(**resource)) for _ in range(2)] == [tenant, tenant]


def test_resources_of_one_request_may_differ() -> None:
    found = Tenants(SOURCES).of(Context())
    assert [found(head(tenant_id=name)) for name in "abca"] == ["a", "b", "c", "a"]
