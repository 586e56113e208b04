"""Limits of the control groups that this process is in: its own and all above it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_MOUNT: Final = "sys/fs/cgroup"


def limits(name: str, *, controller: str = "", root: Path = Path("/")) -> Iterator[str]:
    """What the file `name` of each group says, for example `memory.max`; nothing where there are none.

    A container sees its own group as the root of the tree; a service of systemd has a path in that of the machine.

    Args:
        name: of the file.
        controller: of version 1, whose controllers have a tree each; empty for version 2.
        root: the file system's, for tests.
    """
    mount = root / _MOUNT / controller
    own = PurePosixPath(_own_path(controller, root))
    for group in (own, *own.parents):
        try:
            yield (mount / group.relative_to("/") / name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            continue


def _own_path(controller: str, root: Path) -> str:
    """By cgroups(7): lines of `number:controllers:path`, in version 2 without a controller."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "/"
    for line in lines:
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller in names.split(",") and path.startswith("/"):
            return path
    return "/"
