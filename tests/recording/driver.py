"""Drivers: small programs, each around one real library, with the packages they need in a comment at their head.

Source of that comment: PEP 723. The packages are installed into a virtual environment of the driver's own in the cache
folder of the user (`PENSTOCK_CACHE`, default `~/.cache/penstock`), never into the checkout.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).with_name("drivers")
_KIT: Final = _FOLDER.with_name("kit")
_HEAD: Final = re.compile(r"(?m)^(?:#|//) /// script$\n((?:^(?:#|//)(?:| .*)$\n)+?)^(?:#|//) ///$")


@dataclass(frozen=True)
class Driver:
    """One driver: `drivers/<name>.py`, or `drivers/<name>.mjs` for Node."""

    name: str
    path: Path
    needs: dict[str, Any]
    """The comment at its head: `dependencies`, and in `tool.recording` `scenarios`, `folder` and `variants`."""

    @classmethod
    def load(cls, name: str) -> Driver:
        """Read a driver's head. Raises FileNotFoundError for a driver that is not there."""
        path = next((p for end in (".py", ".mjs") if (p := _FOLDER / f"{name}{end}").exists()), None)
        if path is None:
            raise FileNotFoundError(f"there is no driver {name} in {_FOLDER}")
        head = _HEAD.search(path.read_text(encoding="utf-8"))
        lines = head.group(1).splitlines() if head else []
        return cls(name, path, tomllib.loads("\n".join(re.sub(r"^(#|//) ?", "", line) for line in lines)))

    @property
    def recording(self) -> dict[str, Any]:
        """The table `tool.recording`."""
        return dict(self.needs.get("tool", {}).get("recording", {}))

    @property
    def language(self) -> str:
        """What it is written in."""
        return "python" if self.path.suffix == ".py" else "node"

    @property
    def pin(self) -> str:
        """What stands between a package and its version."""
        return "==" if self.path.suffix == ".py" else "@"

    def runs(self) -> dict[str, tuple[list[str], dict[str, str]]]:
        """Folders of recordings, each with its scenarios and settings in the environment.

        The first is the driver's own; others are tables in `tool.recording.variants`, with `scenarios` where they have
        fewer and everything else as settings.
        """
        own: list[str] = self.recording["scenarios"]
        found: dict[str, tuple[list[str], dict[str, str]]] = {self.recording.get("folder", self.name): (own, {})}
        for name, variant in self.recording.get("variants", {}).items():
            settings = {key: str(value) for key, value in variant.items() if key != "scenarios"}
            found[name] = (variant.get("scenarios", own), settings)
        return found

    @property
    def folder(self) -> Path:
        """Where the library is installed, outside the checkout."""
        cache = Path(os.environ.get("PENSTOCK_CACHE", Path.home() / ".cache" / "penstock"))
        return cache / "recording" / self.name

    def command(self) -> list[str]:
        """How to run it."""
        if self.path.suffix == ".py":
            # Not beside the drivers: one that is named like its library would be imported in its place.
            return [str(self.folder / "bin" / "python"), "-P", str(self.path)]
        return ["node", str(self.folder / self.path.name)]

    def environment(self) -> dict[str, str]:
        """What it needs to find the module `scenario`."""
        return {"PYTHONPATH": str(_KIT)}

    def folders(self) -> dict[str, str]:
        """Folders of this machine and what stands for them in a recording."""
        root = Path(__file__).parents[2]
        names = {str(self.folder): "/app/.venv", str(_FOLDER): "/app", str(root): "/app"}
        return {**names, sys.base_prefix + "/lib": "/usr/local/lib", str(Path.home()): "/app"}

    def install(self) -> None:
        """Install its packages unless they are there. Raises CalledProcessError where that fails."""
        done = self.folder / ".installed"
        wanted = "\n".join(self.needs.get("dependencies", []))
        if not (done.exists() and done.read_text(encoding="utf-8") == wanted):
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.path.suffix == ".py":
                venv.create(self.folder, with_pip=True)
                command = [str(self.folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
            else:
                command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(self.folder)]
            subprocess.run([*command, *wanted.splitlines()], check=True)
            done.write_text(wanted, encoding="utf-8")
        if self.path.suffix == ".mjs":
            # Node looks for packages beside the program.
            shutil.copy(self.path, self.folder)
            shutil.copytree(_KIT, self.folder / _KIT.name, ignore=shutil.ignore_patterns("*.py*"), dirs_exist_ok=True)


def drivers() -> list[Driver]:
    """All drivers, by name."""
    paths = [path for path in _FOLDER.iterdir() if path.suffix in {".py", ".mjs"}]
    return [Driver.load(path.stem) for path in sorted(paths)]
