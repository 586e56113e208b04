"""Every key that we share with the Collector does something that a test shows, or is refused where it stands."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.component import Component
from pipeline.config.catalog import InstalledComponents
from pipeline.service import Service
from tests.unit.collector_keys import (
    FILES,
    ROOT,
    Entry,
    components,
    declared,
    examined,
    examined_rest,
    functions_of,
    marked_lines,
    set_paths,
    table,
    write_files,
)

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
COMPONENTS = list(dict.fromkeys(entry.component for entry in table()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    write_files(made)
    return made


def test_there_are_enough_configurations() -> None:
    assert len(FILES) >= 25


@each_file
def test_what_is_refused_is_refused_where_it_stands(file: Path, folder: Path) -> None:
    problems = examined(file, folder).problems
    assert {(problem.file, problem.line) for problem in problems} == {(str(file), n) for n in marked_lines(file)}


@each_file
async def test_the_rest_starts_and_stops(file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    service = Service(examined_rest(file, folder).settings())
    async with asyncio.timeout(60):
        await service.start()
        running: list[Component] = [*service.graph.receivers.values(), *service.graph.exporters.values()]
        await service.stop()
    assert running


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_key_is_missing_in_the_table(component: str) -> None:
    assert {entry.path for entry in table() if entry.component == component} == declared(component)


def test_the_named_tests_are_there() -> None:
    named = {name for entry in table() for name in entry.tests}
    missing = {name for name in named if not _is_there(name)}
    assert missing == set()


def _is_there(name: str) -> bool:
    file, _, function = name.partition("::")
    return (ROOT / file).is_file() and function in functions_of(ROOT / file)


def test_every_honoured_key_is_set_in_a_configuration(folder: Path) -> None:
    found = {
        (component, path)
        for file in FILES
        for component, settings in components(examined_rest(file, folder))
        for path in set_paths(settings.config)
    }
    missing = [entry for entry in table() if entry.tests and not _is_set(entry, found)]
    assert missing == []


def _is_set(entry: Entry, found: set[tuple[str, str]]) -> bool:
    return (entry.component, entry.path) in found


def test_every_refused_key_is_refused_in_a_configuration_for_its_reason(folder: Path) -> None:
    problems = [problem for file in FILES for problem in examined(file, folder).problems]
    found = [(_component(problem.path), _keys(problem.path), problem.message) for problem in problems]
    missing = [
        entry
        for entry in table()
        if entry.reason
        and not any(
            component == entry.component and path == entry.path and entry.reason in message
            for component, path, message in found
        )
    ]
    assert missing == []


def _component(path: tuple[str | int, ...]) -> str:
    kind, name = str(path[0]), str(path[1]).partition("/")[0]
    return f"{kind}/{InstalledComponents().get(kind, name).type}"


def _keys(path: tuple[str | int, ...]) -> str:
    return ".".join(str(key) for key in path[2:] if isinstance(key, str))
