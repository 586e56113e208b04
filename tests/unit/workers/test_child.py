"""What a worker takes over from its parent before it starts."""

from __future__ import annotations

import json
import os
import socket
import struct

import pytest

from pipeline.errors import StartError
from pipeline.transport import listen
from pipeline.worker import CONTROL_VARIABLE, RunSecret
from pipeline.workers import child
from pipeline.workers.child import ParentLink


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> tuple[RunSecret, listen.SharedPorts]:
    """What the whole process has one of, for this test alone."""
    secret, ports = RunSecret(), listen.SharedPorts()
    monkeypatch.setattr(child, "RUN_SECRET", secret)
    monkeypatch.setattr(child, "SHARED_PORTS", ports)
    return secret, ports


def test_a_worker_takes_over_the_secret_and_the_ports(
    monkeypatch: pytest.MonkeyPatch, fresh: tuple[RunSecret, listen.SharedPorts]
) -> None:
    ours, theirs = socket.socketpair()
    body = json.dumps({"kind": "hello", "secret": "ab" * 32, "addresses": ["127.0.0.1:1"]}).encode()
    ours.sendall(struct.pack(">I", len(body)) + body)
    monkeypatch.setenv(CONTROL_VARIABLE, str(theirs.detach()))
    link = ParentLink.of_environment()
    secret, ports = fresh
    assert secret.take() == bytes.fromhex("ab" * 32)
    assert (ports.is_on, ports.addresses) == (True, {"127.0.0.1:1"})
    # What a component starts is no worker, and holds no end of the channel.
    assert CONTROL_VARIABLE not in os.environ
    assert not link._end.get_inheritable()
    link._end.close()
    ours.close()


def test_a_worker_without_a_parent_does_not_start() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs, pytest.raises(StartError, match="the parent of this worker is gone"):
        ParentLink(theirs)
