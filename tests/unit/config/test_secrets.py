"""Secrets: where they stand in a file is reported, and what they are is never shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config.catalog import KINDS, InstalledComponents
from pipeline.config.effective import effective, render
from pipeline.config.examination import Examination
from pipeline.config.listing import entries
from pipeline.config.loading import examine, load
from pipeline.config.report import rows
from pipeline.config.service import ServiceConfig
from pipeline.config.types import MASK, Secret
from pipeline.errors import ConfigError

MARKER = "hunter2-7f3a"
NUMBER = 730951467205
PUBLIC = ("ca_pem", "cert_pem")
BASE: dict[str, Any] = {
    "receivers": {"nop": None},
    "exporters": {"nop": None},
    "service": {"pipelines": {"traces": {"receivers": ["nop"], "exporters": ["nop"]}}},
}

# What must stand beside a secret to make a valid configuration; the secret replaces what is at its own place.
SERVER: dict[str, Any] = {"cert_pem": "c", "key_pem": "k"}
TLS: dict[str, Any] = {"cert_pem": "c", "key_pem": "k"}
KAFKA: dict[str, Any] = {
    "tls": TLS,
    "auth": {"sasl": {"mechanism": "PLAIN", "username": "u", "password": "p"}},
}
OTLP: dict[str, Any] = {"otlp": {"endpoint": "http://localhost:1"}}
BESIDE: dict[str, Any] = {
    "receivers/otlp": {"protocols": {"grpc": {"tls": SERVER}, "http": {"tls": SERVER}}},
    "exporters/otlp_grpc": {"endpoint": "localhost:1", "tls": TLS},
    "exporters/otlp_http": {"endpoint": "https://localhost:1", "tls": TLS},
    "exporters/prometheus": {"endpoint": "localhost:1", "tls": SERVER},
    "exporters/prometheus_remote_write": {"endpoint": "https://localhost:1", "tls": TLS},
    "extensions/health_check": {"tls": SERVER},
    "processors/redaction": {"hmac_key": "k"},
}


@cache
def secret_paths() -> tuple[tuple[str, ...], ...]:
    """Paths of every secret that any component can be given; `*` stands for a name, `[]` for an index."""
    found: list[tuple[str, ...]] = []
    for entry in entries(InstalledComponents()):
        found += [(entry.kind, entry.name, *path) for path in _below(entry.cls.Config, ())]
    found += [("service", *path) for path in _below(ServiceConfig, ())]
    return tuple(dict.fromkeys(found))


def _below(annotation: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(annotation, type) and issubclass(annotation, Secret):
        yield path
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from _below(field.annotation, (*path, field.alias or name))
    else:
        origin: Any = getattr(annotation, "__origin__", None)
        step = {dict: ("authorization",), Mapping: ("authorization",), tuple: ("[]",), list: ("[]",)}.get(origin, ())
        for argument in get_args(annotation):
            yield from _below(argument, (*path, *step))


def planted(path: tuple[str, ...], value: Any) -> Any:
    """A value at the end of a path of mappings and lists."""
    for step in reversed(path):
        value = [value] if step == "[]" else {step: value}
    return value


def laid(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: laid(base.get(key), item) for key, item in over.items()}
    return over


def configuration(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    kind, name, *_ = path
    tree = laid(BASE, {kind: {name: BESIDE.get(f"{kind}/{name}")}}) if kind != "service" else dict(BASE)
    made: dict[str, Any] = laid(tree, planted(path, value))
    return made


def shown(examination: Examination) -> str:
    """Everything that anybody gets to see of a configuration."""
    outputs = [render(effective(examination), form) for form in ("yaml", "json")]
    outputs += map(str, (*examination.problems, *examination.warnings, *rows(examination)))
    configs = [item.config for kind in KINDS for item in examination.components.get(kind, {}).values()]
    outputs += [repr(config) + str(config) + str(config.model_dump()) for config in configs]
    outputs += [repr(examination.service), str(examination.service)]
    try:
        outputs.append(repr(examination.settings()))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is shown
        outputs.append(repr(error) + str(error))
    return "\n".join(outputs)


EVERY = pytest.mark.parametrize("path", secret_paths(), ids="::".join)


def test_there_are_many() -> None:
    assert len(secret_paths()) > 40
    assert ("extensions", "bearertokenauth", "tokens", "[]") in secret_paths()
    assert ("exporters", "otlp_http", "headers", "authorization") in secret_paths()


@EVERY
def test_no_output_shows_a_secret(path: tuple[str, ...]) -> None:
    for value in (MARKER, NUMBER, [MARKER], {"a": MARKER}, [[NUMBER]]):
        text = shown(examine([f"yaml:{yaml.safe_dump(configuration(path, value))}"], environ={}))
        assert MARKER not in text
        assert str(NUMBER) not in text


@EVERY
def test_a_secret_that_stands_in_the_file_is_reported_at_its_place(path: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "penstock.yaml"
    file.write_text(yaml.safe_dump(configuration(path, MARKER)))
    (line,) = [number for number, text in enumerate(file.read_text().splitlines(), 1) if MARKER in text]
    examination = examine([str(file)], environ={})
    if examination.problems:
        # A key that is refused, or one whose neighbours are not worth naming here: nothing of it runs.
        return
    found = [w for w in examination.warnings if "a secret stands here as it is" in w.message and w.line == line]
    assert [warning.file for warning in found] == ([] if path[-1] in PUBLIC else [str(file)])


def test_most_of_them_were_accepted() -> None:
    accepted = [
        path
        for path in secret_paths()
        if not examine([f"yaml:{yaml.safe_dump(configuration(path, MARKER))}"], environ={}).problems
    ]
    assert len(accepted) > len(secret_paths()) / 2


FILE = """
receivers: {nop: }
exporters:
  otlp_http:
    endpoint: http://localhost:1
    headers:
      X-Scope-OrgID: team-a
      Authorization: "VALUE"
service: {pipelines: {traces: {receivers: [nop], exporters: [otlp_http]}}}
"""
HEADERS = """
      X-Scope-OrgID: team-a
      Authorization: "VALUE"
"""


@pytest.mark.parametrize(
    ("value", "is_reported"),
    [
        (MARKER, True),
        (f"Bearer {MARKER}", True),
        (f"${{env:MISSING:-{MARKER}}}", True),
        (f"${{yaml:{MARKER}}}", True),
        ("${env:TOKEN}", False),
        ("Bearer ${env:TOKEN}", False),
        ("${TOKEN}", False),
        ("${file:FOLDER/token}", False),
        ("", False),
    ],
)
def test_what_the_environment_or_a_file_gives_is_not_reported(tmp_path: Path, value: str, is_reported: bool) -> None:
    (tmp_path / "token").write_text(MARKER)
    file = tmp_path / "penstock.yaml"
    file.write_text(FILE.replace("VALUE", value).replace("FOLDER", str(tmp_path)))
    examination = examine([str(file)], environ={"TOKEN": MARKER})
    assert not examination.problems
    found = [(w.line, w.column) for w in examination.warnings if "a secret stands" in w.message]
    assert found == ([(8, 22)] if is_reported else [])
    assert MARKER not in shown(examination)


def test_a_file_with_many_secrets(tmp_path: Path) -> None:
    (tmp_path / "headers.yaml").write_text(f"{{Authorization: {MARKER}}}")
    file = tmp_path / "penstock.yaml"
    file.write_text(FILE.replace(HEADERS, f" ${{file:{tmp_path}/headers.yaml}}\n"))
    assert [w.message for w in examine([str(file)], environ={}).warnings] == []


def test_a_header_as_an_item_of_a_list(tmp_path: Path) -> None:
    file = tmp_path / "penstock.yaml"
    listed = " [{name: X-Scope-OrgID, value: team-a}, {name: X-Api-Key, value: VALUE}]\n"
    file.write_text(FILE.replace(HEADERS, listed))
    found = [w.path[-2:] for w in examine([str(file)], environ={}).warnings]
    assert found == [(1, "value")]


def test_the_command_line_is_no_place_for_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "penstock.yaml"
    file.write_text(FILE.replace("VALUE", "${env:TOKEN}"))
    given = [f"exporters::otlp_http::headers::Authorization={MARKER}"]
    (warning,) = examine([str(file)], given, environ={"TOKEN": "x"}).warnings
    assert "list of processes" in warning.message
    assert MARKER not in str(warning)
    assert examine(["env:CONFIG"], environ={"CONFIG": FILE.replace("VALUE", MARKER)}).warnings == []


def test_a_password_in_a_url_is_not_printed() -> None:
    text = FILE.replace("http://localhost:1", f"http://otto:{MARKER}@localhost:1").replace("VALUE", "${env:TOKEN}")
    examination = examine([f"yaml:{text}"], environ={"TOKEN": "x"})
    assert not examination.problems
    assert f"http://{MASK}@localhost:1" in render(effective(examination), "yaml")
    assert MARKER in render(effective(examination, unredacted=True), "yaml")


def test_a_password_in_a_url_that_is_wrong_is_not_shown() -> None:
    text = FILE.replace("http://localhost:1", f"http://otto:{MARKER}@localhost:0").replace("VALUE", "${env:TOKEN}")
    (problem,) = examine([f"yaml:{text}"], environ={"TOKEN": "x"}).problems
    assert "invalid URL" in problem.message
    assert MARKER not in str(problem)


@pytest.mark.parametrize(
    "written",
    ["*{}", "&{}& x", "'{}", '"\\q{}"', "%{}", "{}: x: y", "[{}", "${{TOKEN:-{}}}", "'${{vault:{}}}'"],
)
def test_what_is_no_yaml_is_not_shown(tmp_path: Path, written: str) -> None:
    """Passwords begin with what they like, and people forget the quotes."""
    file = tmp_path / "penstock.yaml"
    file.write_text(FILE.replace('"VALUE"', written.format(MARKER)))
    with pytest.raises(ConfigError) as refused:
        load([str(file)], environ={})
    assert MARKER not in str(refused.value)
