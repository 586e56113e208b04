"""A Dockerfile built on a fresh Debian, and run, on a machine without a container engine. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.dockerfile import Stage

# Stands for the image that the Dockerfile begins with: the same Debian, and its own build of the same Python.
_BASE = ("debootstrap", "--variant=minbase", "--include=python3,python3-pip,ca-certificates", "bookworm")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What this machine's package clients need to reach the network.
_OF_THIS_MACHINE = ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt")


def missing() -> str | None:
    """What this machine lacks, as a reason to skip."""
    if os.geteuid() != 0:
        return "needs root, for chroot"
    absent = [name for name in ("debootstrap", "buildah", "unshare", "nsenter", "ip") if shutil.which(name) is None]
    return (
        f"needs {', '.join(absent)}: apt-get install --no-install-recommends debootstrap buildah util-linux iproute2"
        if absent
        else None
    )


class Builder:
    """`buildah`, a builder of images that needs no engine, with a storage of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _buildah(self, *arguments: str | Path) -> str:
        places = [f"--root={self._folder}/storage", f"--runroot={self._folder}/run", "--storage-driver=vfs"]
        done = subprocess.run(["buildah", *places, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"buildah {arguments[0]}: {done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout.strip()

    def base(self) -> str:
        """An image that stands for the one of the FROM: the same Debian, and its own build of the same Python."""
        root = self._folder / "debian"
        subprocess.run([*_BASE, root], check=True, stdout=subprocess.DEVNULL)
        for name in _OF_THIS_MACHINE:
            if Path(name).is_file():
                shutil.copy(name, f"{root}{name}")
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, root, "/")
        # Debian's own pip would rather not install anything.
        self._buildah("config", "--env", "PIP_BREAK_SYSTEM_PACKAGES=1", container)
        self._buildah("commit", "--quiet", container, "localhost/base")
        return "localhost/base"

    def build(self, dockerfile: Path, context: Path, base: str) -> str:
        """The image of a Dockerfile whose FROM is the argument BASE."""
        options = ["--isolation", "chroot", "--pull=false", "--format", "docker", "--build-arg", f"BASE={base}"]
        self._buildah("bud", *options, "--file", dockerfile, "--tag", "localhost/built", context)
        return "localhost/built"

    def root(self, image: str) -> Path:
        """A folder with all files of an image, as an engine would lay them out for a container."""
        root = Path(self._buildah("mount", self._buildah("from", "--pull=false", image)))
        Path(root / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
        return root


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
