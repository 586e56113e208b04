"""Commands in the documentation run, and links lead somewhere."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.servers.collectors import ROOT, penstock_command

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "deploy" / "README.md"]
OPERATORS = [ROOT / "docs" / f"{name}.md" for name in ("install", "sidecar", "gateway", "upgrade", "troubleshooting")]

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_STARTS = ("penstock ", "echo ")
# Each needs what a test of documentation has not: an installation of its own, a running collector, minutes.
_ELSEWHERE = re.compile(
    r"export |curl |python3 -m venv|/opt/penstock/|penstock demo|penstock replay|penstock queue list|"
    r"penstock (--config configs/\w+\.yaml ?)+$"
)


def commands(page: Path) -> list[str]:
    """What a reader is shown to type."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


SHOWN = sorted({command for page in OPERATORS for command in commands(page)})


@pytest.mark.parametrize("command", [c for c in SHOWN if not _ELSEWHERE.match(c)])
def test_command_runs(command: str) -> None:
    assert command.startswith(_STARTS), "say in _ELSEWHERE why it cannot be run here, or show another command"
    program = " ".join(penstock_command())
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("penstock ", f"{program} ", 1)],
        cwd=ROOT,
        env={**os.environ, "PENSTOCK_TOKEN": "for-tests"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


_SHOWN_ANYWHERE = re.compile(r"`(penstock [a-z][^`\n]*)`|^\$ (penstock .*)$|^(penstock .*)$", re.MULTILINE)
_SUBCOMMANDS = {"queue", "dead-letter"}


def typed(page: Path) -> list[list[str]]:
    """The words of every command of ours on a page, in its text, too, behind `penstock`."""
    found = ("".join(groups) for groups in _SHOWN_ANYWHERE.findall(page.read_text(encoding="utf-8")))
    return [words for line in found if (words := line.split(" | ")[0].split()[1:]) and words[0] != "version"]


@cache
def help_of(*words: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return said.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_their_options_are_there(page: Path) -> None:
    for words in typed(page):
        count = 2 if words[0] in _SUBCOMMANDS and len(words) > 1 and words[1].isalpha() else 1
        name = [word for word in words[:count] if not word.startswith("-")]
        told = help_of(*name)
        assert told.startswith(f"usage: penstock {' '.join(name)}".rstrip()), words
        options = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--version"}
        assert {option for option in options if option not in told} == set(), words


def test_pages_show_many_of_our_commands() -> None:
    assert len({words[0] for page in PAGES for words in typed(page)}) > 12


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them, and those that are written out."""
    text = page.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return made | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in _LINK.findall(text):
        found = page if not target else page.parent / target
        assert found.exists(), f"{target} is not there"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target}#{anchor}: no such heading"
