"""A real Kafka broker that a test can start, kill and bring back: one node, its log in a folder of the test."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.lookup import cache_folder, require_program
from tests.servers.processes import Server, ServerError, free_ports, listening, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HEAP: tuple[str, ...] = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def patience(seconds: float) -> dict[str, str]:
    """Properties of a broker that is killed: for so long (9 s by default) its controller does not take it back."""
    return {"broker.session.timeout.ms": str(round(seconds * 1000)), "broker.heartbeat.interval.ms": "500"}


_LOGGING = """\
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c{1})%n
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
"""


def find_jars() -> Path | None:
    """The folder of the broker's jars: `PENSTOCK_TEST_KAFKA`, else the cache; None when there is none."""
    folder = Path(os.environ.get("PENSTOCK_TEST_KAFKA", cache_folder() / "kafka" / "lib"))
    return folder if folder.is_dir() else None


def require_jars() -> Path:
    """As `find_jars`, but the test is skipped, with the command that would help, when there is none."""
    folder = find_jars()
    if folder is None:
        pytest.skip("no Kafka: run `make servers`, or set PENSTOCK_TEST_KAFKA to the folder of its jars")
    require_program("java")
    return folder


class Broker:
    """One broker. `up` starts it (again, with what it has stored), `kill` ends it without a goodbye."""

    def __init__(
        self,
        folder: Path,
        *,
        listeners: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        jvm: Sequence[str] = (),
        scram: Sequence[str] = (),
    ) -> None:
        """Prepare a broker in `folder`.

        Args:
            folder: where its properties, log and data go.
            listeners: further listeners by name, with their security protocol (`{"SASL": "SASL_PLAINTEXT"}`); the
                listener `PLAINTEXT` is always there.
            properties: further lines of server.properties.
            jvm: further arguments of java.
            scram: users of SCRAM, as `SCRAM-SHA-256=[name=alice,password=secret]`.
        """
        self._jars = require_jars()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        names = ["PLAINTEXT", *(listeners or {})]
        controller, *ports = free_ports(1 + len(names))
        self.ports = dict(zip(names, ports, strict=True))
        logging = folder / "log4j2.properties"
        logging.write_text(_LOGGING, encoding="utf-8")
        self._jvm = [*_HEAP, f"-Dlog4j2.configurationFile={logging}", *jvm]
        self._file = folder / "server.properties"
        protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        addresses = [f"{name}://127.0.0.1:{port}" for name, port in self.ports.items()]
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": ",".join([*addresses, f"CONTROLLER://127.0.0.1:{controller}"]),
            "advertised.listeners": ",".join(addresses),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": ",".join(f"{name}:{value}" for name, value in protocols.items()),
            "log.dirs": str(folder / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "num.partitions": "4",
            **(properties or {}),
        }
        self._file.write_text("".join(f"{key}={value}\n" for key, value in lines.items()), encoding="utf-8")
        self._running: contextlib.AbstractContextManager[Server] | None = None
        self._server: Server | None = None
        self._format(scram)

    @property
    def bootstrap(self) -> str:
        """`host:port` of the plain listener."""
        return f"127.0.0.1:{self.ports['PLAINTEXT']}"

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        assert self._server is not None, "the broker is not up"
        return self._server.pid

    def _java(self, *arguments: str) -> list[str | Path]:
        return ["java", *self._jvm, "-cp", f"{self._jars}/*", *arguments]

    def address(self, listener: str) -> str:
        """`host:port` of a listener."""
        return f"127.0.0.1:{self.ports[listener]}"

    def _format(self, scram: Sequence[str]) -> None:
        # One that begins with a dash would be taken for an option.
        cluster = "P" + base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")[1:]
        users = [argument for user in scram for argument in ("--add-scram", user)]
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._file), *users)
        done = subprocess.run(command, check=False, capture_output=True, timeout=60)
        if done.returncode:
            raise ServerError(f"the broker's folder could not be prepared: {(done.stdout + done.stderr).decode()}")

    def up(self) -> None:
        """Start it and wait until it takes connections on every listener."""
        self._running = running(
            self._java("kafka.Kafka", str(self._file)),
            self.folder / "broker.log",
            ready=lambda server: "Kafka Server started" in server.log() and listening(*self.ports.values()),
        )
        self._server = self._running.__enter__()

    def kill(self) -> None:
        """`kill -9`: what is on disk is there when it comes `up` again."""
        assert self._server is not None, "the broker is not up"
        self._server.process.kill()
        self._server.process.wait()
        self.down()

    def down(self) -> None:
        """Stop it in good order."""
        if self._running is not None:
            self._running.__exit__(None, None, None)
        self._running = self._server = None


@contextlib.contextmanager
def broker(folder: Path, **keys: object) -> Iterator[Broker]:
    """A running broker; `keys` are those of `Broker`."""
    made = Broker(folder, **keys)  # type: ignore[arg-type]  # the keys of Broker
    made.up()
    try:
        yield made
    finally:
        made.down()
