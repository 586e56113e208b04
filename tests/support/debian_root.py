"""A Dockerfile's steps, performed in a fresh Debian root: for machines without a container engine. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.dockerfile import Stage

# Stands for the image that the Dockerfile begins with: the same Debian, and its own build of the same Python.
_BASE = ("debootstrap", "--variant=minbase", "--include=python3,python3-pip,ca-certificates", "bookworm")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What this machine's package clients need to reach the network.
_OF_THIS_MACHINE = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")


def missing() -> str | None:
    """What this machine lacks, as a reason to skip."""
    if os.geteuid() != 0:
        return "needs root, for chroot"
    absent = [name for name in ("debootstrap", "unshare", "nsenter", "ip") if shutil.which(name) is None]
    return f"needs {', '.join(absent)}: apt-get install debootstrap util-linux iproute2" if absent else None


def new_root(folder: Path) -> Path:
    """A root with Debian 12 and its Python 3.11."""
    subprocess.run([*_BASE, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def copied_root(source: Path, folder: Path) -> Path:
    """Another one like it."""
    subprocess.run(["cp", "-a", "--reflink=auto", source, folder], check=True)
    return folder


class Build:
    """Performs the steps of one stage in a root; `others` has the roots of the stages before it."""

    def __init__(self, root: Path, stage: Stage, context: Path, others: Mapping[str, Path]) -> None:
        self.root = root
        self._stage = stage
        self._context = context
        self._others = others
        self._folder = "/"
        self._environment = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8"}

    def run(self) -> dict[str, str]:
        """All steps in their order; the environment of what runs in the image."""
        # As every container engine writes it.
        Path(f"{self.root}/etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
        kept = [Path(f"{self.root}{name}") for name in _OF_THIS_MACHINE]
        before = {path: path.read_bytes() if path.is_file() else None for path in kept}
        for path in kept:
            here = Path("/") / path.relative_to(self.root)
            if here.is_file():
                path.write_bytes(here.read_bytes())
        for step in self._stage.steps:
            match step.name:
                case "RUN":
                    self._run(step.text)
                case "COPY":
                    self._copy(step.words(), step.flag("from"))
                case "WORKDIR":
                    self._folder = step.text
                    Path(f"{self.root}{step.text}").mkdir(parents=True, exist_ok=True)
                case "ENV":
                    self._environment = Stage("", "", [step]).environment(self._environment)
        for path, content in before.items():
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        return self._environment

    def _run(self, command: str) -> None:
        environment = [f"{key}={value}" for key, value in {**_pip_settings(), **self._environment}.items()]
        inside = f'mount -t proc proc {self.root}/proc && exec chroot {self.root} env -i "$@"'
        shell = ["sh", "-c", f"cd {self._folder} && {command}"]
        subprocess.run(["unshare", "--mount", "sh", "-c", inside, "sh", *environment, *shell], check=True)

    def _copy(self, words: Sequence[str], stage: str | None) -> None:
        *sources, target = words
        origin = self._others[stage] if stage else self._context
        place = Path(f"{self.root}{Path(self._folder) / target}")
        for source in sources:
            path = Path(f"{origin}/{source.lstrip('/')}")
            into = place / path.name if path.is_file() and target.endswith("/") else place
            into.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, into, symlinks=True, dirs_exist_ok=True, ignore=_ignored(stage))
            else:
                shutil.copy(path, into)


def _ignored(stage: str | None) -> shutil._IgnorePatterns | None:  # type: ignore[name-defined]
    """As .dockerignore has it, of the context; all of another stage is copied."""
    return None if stage else shutil.ignore_patterns("__pycache__")


def _pip_settings() -> dict[str, str]:
    """This machine's settings of pip, with Debian's leave to install where pip is told to."""
    given = {key: value for key, value in os.environ.items() if key.startswith("PIP_") and key != "PIP_FIND_LINKS"}
    return {**given, "PIP_BREAK_SYSTEM_PACKAGES": "1"}


class Container:
    """A program in a read-only root, as another user, with a network of its own: as `docker run --read-only`."""

    def __init__(self, root: Path, stage: Stage, environment: Mapping[str, str], volume: Path) -> None:
        self._root = root
        self._stage = stage
        self._environment = dict(environment)
        self._volume = volume
        self._user = stage.last("USER").text
        self._folder = stage.last("WORKDIR").text

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """The entry point with these arguments; its process id is the program's own."""
        where = self._stage.last("VOLUME").text
        mounts = (
            f"ip link set lo up && mount --bind {self._root} {self._root} && mount -o remount,bind,ro {self._root} && "
            f"mount -t proc proc {self._root}/proc && mount --bind {self._volume} {self._root}{where} && "
            f'exec chroot --userspec={self._user} {self._root} env -i -C {self._folder} "$@"'
        )
        entry = self._stage.last("ENTRYPOINT").form()
        settings = [f"{key}={value}" for key, value in {**self._environment, **environment}.items()]
        command = ["unshare", "--mount", "--net", "sh", "-c", mounts, "sh", *settings, *entry, *arguments]
        with log.open("wb") as output:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def inside(self, process: subprocess.Popen[bytes], command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Another command beside the running program, as `docker exec`."""
        user, group = self._user.split(":")
        enter = [
            "nsenter",
            f"--target={process.pid}",
            "--mount",
            "--net",
            "--root",
            f"--setuid={user}",
            f"--setgid={group}",
        ]
        settings = [f"{key}={value}" for key, value in self._environment.items()]
        done = [*enter, "env", "-i", "-C", self._folder, *settings, *command]
        return subprocess.run(done, capture_output=True, text=True, timeout=120, check=False)
