"""A Dockerfile as its stages and steps, and as far as ours goes: what a builder would make of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any


@dataclass(frozen=True)
class Step:
    """One instruction: `RUN`, and what stands behind it."""

    name: str
    text: str

    def words(self) -> list[str]:
        """What stands behind it, at blanks; flags such as `--from=build` left out."""
        return [word for word in self.text.split() if not word.startswith("--")]

    def flag(self, name: str) -> str | None:
        """The value of `--name=value`."""
        found = re.search(rf"--{name}=(\S+)", self.text)
        return found[1] if found else None

    def settings(self) -> dict[str, str]:
        """The pairs of ENV or LABEL."""
        return {key: quoted or bare for key, quoted, bare in re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S+))', self.text)}

    def form(self) -> list[str]:
        """The list of ENTRYPOINT, CMD or HEALTHCHECK CMD."""
        return [str(each) for each in json.loads(self.text[self.text.index("[") :])]


@dataclass
class Stage:
    """What follows a FROM."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def last(self, name: str) -> Step:
        """The step of this name that holds."""
        return [step for step in self.steps if step.name == name][-1]

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """All that ENV says, over what is there."""
        made = dict(given)
        for step in self.steps:
            if step.name == "ENV":
                made |= {key: Template(value).safe_substitute(made) for key, value in step.settings().items()}
        return made


def read(path: Path) -> tuple[dict[str, str], list[Stage]]:
    """The ARGs before the first FROM with their defaults, and the stages."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for step in _steps(path.read_text(encoding="utf-8")):
        if step.name == "FROM":
            base, *named = Template(step.text).substitute(arguments).split()
            stages.append(Stage(base, named[-1] if named else ""))
        elif stages:
            stages[-1].steps.append(step)
        else:
            key, _, value = step.text.partition("=")
            arguments[key] = value
    return arguments, stages


def _steps(text: str) -> list[Step]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[Any] = [line.split(maxsplit=1) for line in whole.splitlines() if line.strip()]
    return [Step(name, rest) for name, rest in found]
