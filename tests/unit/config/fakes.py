"""Components made of nothing, so that the loader is tested without the real ones, and the types of the fixtures."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Protocol

from pydantic import Field, field_validator, model_validator

from pipeline.config import (
    ConfigModel,
    Duration,
    ExtensionRef,
    InvalidKey,
    Pattern,
    Secret,
    Settings,
    refused,
)
from pipeline.config.examination import Examination
from pipeline.errors import ConfigError, Problem


class Tls(ConfigModel):
    """Transport security."""

    null_is_absent: ClassVar[bool] = True
    cert_file: str = ""
    min_version: str = refused("the library cannot", accept=("1.2",), default="1.2")


class Keepalive(ConfigModel):
    """Pings."""

    time: Duration = 20.0


class Server(ConfigModel):
    """A listening socket."""

    endpoint: str = Field("localhost:4317", description="Address to listen on.")
    max_recv_msg_size_mib: int = Field(4, ge=0)
    """Largest message, MiB."""
    idle: Duration = 0.0
    include_metadata: bool = False
    tls: Tls | None = None
    keepalive: Keepalive | None = None


class Protocols(ConfigModel):
    """At least one."""

    grpc: Server | None = None
    http: Server | None = None

    @model_validator(mode="after")
    def _some(self) -> Protocols:
        if self.grpc is None and self.http is None:
            raise ValueError("must specify at least one protocol when using the OTLP receiver")
        return self


class ReceiverConfig(ConfigModel):
    protocols: Protocols


class Queue(ConfigModel):
    size: int = 1000
    min_size: int = 0


class ClientConfig(ConfigModel):
    endpoint: str
    headers: dict[str, Secret] = Field({})
    token: Secret = Secret("")
    names: list[str] = Field([])
    ratio: float = 1.0
    encoding: Literal["proto", "json"] = "proto"
    compression: Literal["gzip", ""] | None = "gzip"
    value: Any = None
    patterns: list[Pattern] = Field([])
    ref: ExtensionRef | None = None
    queue: Queue = Queue()
    wait: Duration | Literal["never"] = "never"
    number_or_text: int | float | str = 0
    profiles: Any = refused("no profiles in this release; remove the key")

    @model_validator(mode="after")
    def _sizes(self) -> ClientConfig:
        if self.queue.min_size > self.queue.size:
            raise InvalidKey("`min_size` must be less than or equal to `size`", "queue", "min_size")
        return self


class Latency(ConfigModel):
    type: Literal["latency"]
    threshold_ms: int


class Share(ConfigModel):
    type: Literal["share"]
    percentage: float


class ActionsConfig(ConfigModel):
    rules: list[Latency | Share] = Field([])
    mapped: dict[str, int] = Field({})
    from_: str = Field("", alias="from")

    @field_validator("mapped", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return {item["name"]: item["value"] for item in value} if isinstance(value, list) else value


class NoConfig(ConfigModel):
    pass


class Component:
    """What all have."""

    type: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    signals: ClassVar[frozenset[str]] = frozenset(["traces", "metrics", "logs"])
    pairs: ClassVar[frozenset[tuple[str, str]]] = frozenset()
    forwards: ClassVar[bool] = False
    Config: ClassVar[Any] = NoConfig

    @classmethod
    def awaits_delivery(cls, _config: Any) -> str:
        """The key by which clients wait."""
        return ""

    @classmethod
    def holds_for_long(cls, _config: Any) -> str:
        """Why data rests here."""
        return ""


class OtlpReceiver(Component):
    """Takes data in. And more.

    Attributes:
        secret: for programmers.
    """

    type = "otlp"
    Config = ReceiverConfig


class TracesOnly(Component):
    type = "traces_only"
    signals = frozenset(["traces"])


class OtlpExporter(Component):
    """Sends data out."""

    type = "otlp_grpc"
    aliases = ("otlp",)
    Config = ClientConfig


class Debug(Component):
    """Prints."""

    type = "debug"


class Actions(Component):
    """Acts."""

    type = "actions"
    Config = ActionsConfig


class Forward(Component):
    """Joins pipelines of one signal."""

    type = "forward"
    pairs = frozenset((signal, signal) for signal in ("traces", "metrics", "logs"))


class Count(Forward):
    """Counts spans."""

    type = "count"
    pairs = frozenset([("traces", "metrics")])


class Storage(Component):
    """Stores."""

    type = "storage"


TYPES: dict[str, list[type[Any]]] = {
    "receivers": [OtlpReceiver, TracesOnly],
    "processors": [Actions],
    "exporters": [OtlpExporter, Debug],
    "connectors": [Forward, Count],
    "extensions": [Storage],
}


class FakeCatalog:
    """The components above."""

    def _types(self, kind: str) -> dict[str, type[Any]]:
        return {name: cls for cls in TYPES[kind] for name in (cls.type, *cls.aliases)}

    def names(self, kind: str) -> list[str]:
        return sorted(self._types(kind))

    def get(self, kind: str, type_name: str) -> type[Any]:
        if type_name == "broken":
            raise ConfigError(Problem('exporter "broken" of package x cannot be loaded'))
        return self._types(kind)[type_name]


class Loader(Protocol):
    def __call__(self, *texts: str, sets: tuple[str, ...] = (), **environ: str) -> Settings: ...


class Examiner(Protocol):
    def __call__(self, *texts: str, sets: tuple[str, ...] = (), **environ: str) -> Examination: ...


class Problems(Protocol):
    def __call__(self, text: str, **environ: str) -> list[str]: ...


MINIMAL = """\
receivers: {otlp: {protocols: {grpc: }}}
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""
