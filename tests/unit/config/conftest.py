"""Loading of texts with made-up components."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import Settings, load
from pipeline.config.examination import Examination
from pipeline.config.loading import examine
from pipeline.errors import ConfigError
from tests.unit.config.fakes import MINIMAL, Examiner, FakeCatalog, Loader, Problems


@pytest.fixture
def catalog() -> FakeCatalog:
    return FakeCatalog()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Write texts to c0.yaml, c1.yaml, ... in the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(*texts: str) -> list[str]:
        names = [f"c{index}.yaml" for index in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            Path(name).write_text(text, encoding="utf-8")
        return names

    return write


@pytest.fixture
def load_text(write: Callable[..., list[str]], catalog: FakeCatalog) -> Loader:
    """Load files of these texts; keyword arguments are environment variables."""

    def load_text(*texts: str, sets: tuple[str, ...] = (), **environ: str) -> Settings:
        return load(write(*texts), sets, environ=environ, catalog=catalog)

    return load_text


@pytest.fixture
def examine_text(write: Callable[..., list[str]], catalog: FakeCatalog) -> Examiner:
    """As load_text, giving the examination."""

    def examine_text(*texts: str, sets: tuple[str, ...] = (), **environ: str) -> Examination:
        return examine(write(*texts), sets, environ=environ, catalog=catalog)

    return examine_text


@pytest.fixture
def problems_of(load_text: Loader) -> Problems:
    """The problems of a configuration laid on a minimal good one, as text without the file name of the second."""

    def problems_of(text: str, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_text(MINIMAL, text, sets=(), **environ)
        return [str(problem).removeprefix("c1.yaml:") for problem in caught.value.problems]

    return problems_of
