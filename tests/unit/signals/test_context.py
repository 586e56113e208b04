from __future__ import annotations

import pytest

from pipeline.signals import Auth, Context

CONTEXT = Context(
    peer="127.0.0.1", metadata={"x-tenant": ("a", "b")}, auth=Auth("alice", {"membership": "x", "level": 0})
)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("metadata.X-Tenant", "a;b"),
        ("metadata.x-other", None),
        ("auth.subject", "alice"),
        ("auth.membership", "x"),
        ("auth.level", "0"),
        ("auth.other", None),
        ("client.address", "127.0.0.1"),
        ("elsewhere.x", None),
    ],
)
def test_lookup(source: str, value: str | None) -> None:
    assert CONTEXT.lookup(source) == value


def test_an_authenticator_that_knows_no_names_gives_no_subject() -> None:
    assert Context(auth=Auth("")).lookup("auth.subject") is None
