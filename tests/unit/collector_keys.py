"""The configurations of tests/data/otelcol/keys, and the table that names a test for each of their keys."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import trustme
import yaml

from pipeline.config import ConfigModel
from pipeline.config.catalog import KINDS, InstalledComponents
from pipeline.config.describe import keys
from pipeline.config.examination import Examination
from pipeline.config.loading import examine
from pipeline.config.settings import ComponentSettings
from tests.servers.oidc_issuer import key

ROOT: Final = Path(__file__).parents[2]
DATA: Final = ROOT / "tests" / "data" / "otelcol"
FILES: Final = sorted((DATA / "keys").glob("*.yaml"))
QUIET: Final = "yaml:service::telemetry::metrics::level: none"
"""No page with own metrics: tests that run side by side would fight for its port."""
_REFUSED: Final = "refused: "
_MARK: Final = "# refused"


@dataclass(frozen=True)
class Entry:
    """What the table says about a key."""

    component: str
    """Section and type, e.g. `exporters/otlp_http`."""
    path: str
    tests: tuple[str, ...] = ()
    reason: str = ""
    """Part of the reason for which the key is refused; empty for one that is honoured."""


@cache
def table() -> tuple[Entry, ...]:
    """All keys of the table."""
    content = yaml.safe_load((DATA / "keys.yaml").read_text(encoding="utf-8"))
    return tuple(entry for component, block in content.items() for entry in _entries(component, block))


def _entries(component: str, block: Mapping[str, Any], prefix: str = "") -> Iterator[Entry]:
    for name, value in block.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _entries(component, value, f"{path}.")
        elif isinstance(value, str) and value.startswith(_REFUSED):
            yield Entry(component, path, reason=value.removeprefix(_REFUSED))
        else:
            yield Entry(component, path, tests=tuple([value] if isinstance(value, str) else value))


def declared(component: str) -> set[str]:
    """Paths of all keys of a component's model that hold no further keys."""
    kind, _, name = component.partition("/")
    paths = [key.path.replace("[]", "").replace(".*", "") for key in keys(InstalledComponents().get(kind, name).Config)]
    return {path for path in paths if not any(other.startswith(f"{path}.") for other in paths)}


@cache
def functions_of(file: Path) -> frozenset[str]:
    """Names of the test functions in a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def write_files(folder: Path) -> None:
    """Certificates, keys, users and tokens that the configurations name."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "token").write_text("for-tests\n", encoding="ascii")
    (folder / "keys.json").write_text(json.dumps({"keys": [key("first", "ES256").jwk()]}), encoding="ascii")
    (folder / "htpasswd").write_text("otto:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", encoding="ascii")


def marked_lines(file: Path) -> set[int]:
    """Lines, from 1, of keys that are refused."""
    return {number for number, line in enumerate(_lines(file), 1) if line.endswith(_MARK)}


def without(file: Path, *marks: str) -> str:
    """The text of a file without the lines that end in one of the marks."""
    return "\n".join(line for line in _lines(file) if not line.endswith(marks))


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def examined(file: Path, folder: Path) -> Examination:
    """A file as it stands."""
    return examine([str(file)], environ={"FOLDER": str(folder)})


def examined_rest(file: Path, folder: Path) -> Examination:
    """A file without its refused keys, and without a page for own metrics."""
    return examine([f"yaml:{without(file, _MARK)}", QUIET], environ={"FOLDER": str(folder)})


def components(examination: Examination) -> Iterator[tuple[str, ComponentSettings]]:
    """What is configured, each under its section and canonical type."""
    for kind in KINDS:
        for settings in examination.components[kind].values():
            yield f"{kind}/{settings.cls.type}", settings


def set_paths(value: Any, default: Any = None, prefix: str = "") -> Iterator[str]:
    """Paths of the keys that have another value than their default."""
    if isinstance(value, ConfigModel) and value.is_repetition:
        yield prefix
    elif isinstance(value, ConfigModel) and type(value).model_fields:
        for name, field in type(value).model_fields.items():
            item, key = getattr(value, name), field.alias or name
            usual = field.get_default(call_default_factory=True)
            if isinstance(default, ConfigModel):
                usual = getattr(default, name)
            if item != usual:
                yield from set_paths(item, usual, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, tuple) and value and all(isinstance(item, ConfigModel) for item in value):
        for item in value:
            yield from set_paths(item, prefix=prefix)
    else:
        yield prefix
