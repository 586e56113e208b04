"""Runs a program under the filters of system calls that systemd makes of a unit: `python sandbox.py UNIT PROGRAM ...`.

What systemd does with `SystemCallFilter=`, `MemoryDenyWriteExecute=` and `RestrictAddressFamilies=` (systemd.exec(5)),
by libseccomp, which systemd itself uses; sets of calls are those of the installed systemd.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

LIBRARY: Final = "libseccomp.so.2"
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_EQUAL, _MASKED_EQUAL = 4, 7
_SHM_EXEC: Final = 0o100000
_MOST_FAMILIES: Final = 64


class _Compared(ctypes.Structure):
    """`struct scmp_arg_cmp` of seccomp.h."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


class Filter:
    """One seccomp filter; several that are loaded all hold."""

    def __init__(self, otherwise: int) -> None:
        """Every call meets `otherwise` unless a rule says something else."""
        self._library = library = ctypes.CDLL(LIBRARY)
        library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(library.seccomp_init(otherwise))

    def rule(self, action: int, call: str, *compared: _Compared) -> None:
        """Add a rule; calls that this machine does not know are left out, as systemd does."""
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            array = (_Compared * len(compared))(*compared)
            code = self._library.seccomp_rule_add_array(self._context, action, number, len(compared), array)
            if code and code != -errno.EACCES:
                raise OSError(-code, os.strerror(-code), call)

    def load(self) -> None:
        """Put it in force for this process and those that it starts."""
        if code := self._library.seccomp_load(self._context):
            raise OSError(-code, os.strerror(-code))


def settings(unit: Path) -> dict[str, list[str]]:
    """The lines of a unit by name."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@cache
def _sets() -> dict[str, frozenset[str]]:
    """Every set of calls with its members, sets in it among them."""
    command = ["systemd-analyze", "syscall-filter", "--no-pager"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, set[str]] = {}
    members: set[str] = set()
    for line in text.splitlines():
        if line.startswith("@"):
            members = found[line] = set()
        elif line.startswith("    ") and "#" not in line:
            members.add(line.strip())
    return {name: frozenset(calls_and_sets) for name, calls_and_sets in found.items()}


def calls(name: str) -> frozenset[str]:
    """The calls of `@set`, those of sets in it included, or the one call."""
    if not name.startswith("@"):
        return frozenset([name])
    return frozenset[str]().union(*(calls(each) for each in _sets()[name]))


def allowed(lines: Iterable[str]) -> set[str]:
    """The calls that `SystemCallFilter=` lines leave; `@default` is always among them."""
    found = set(calls("@default"))
    for line in lines:
        named = frozenset[str]().union(*(calls(each) for each in line.removeprefix("~").split()))
        found = found - named if line.startswith("~") else found | named
    return found


def apply(unit: Path) -> None:
    """Put the filters of a unit in force for this process."""
    lines = settings(unit)
    listed = allowed(lines["SystemCallFilter"])
    families = {getattr(socket, name) for name in lines["RestrictAddressFamilies"][0].split()}
    filters = [_calls_filter(listed), _families_filter(families)]
    if lines["MemoryDenyWriteExecute"] == ["yes"]:
        filters.append(_memory_filter())
    for each in filters:
        each.load()


def _calls_filter(listed: Iterable[str]) -> Filter:
    made = Filter(_ERRNO | errno.EPERM)
    # Until the last filter is loaded; systemd allows it to itself, too.
    for call in {*listed, "seccomp", "prctl"}:
        made.rule(_ALLOW, call)
    return made


def _families_filter(families: Iterable[int]) -> Filter:
    made = Filter(_ALLOW)
    for family in set(range(_MOST_FAMILIES)) - {*families}:
        made.rule(_ERRNO | errno.EAFNOSUPPORT, "socket", _Compared(0, _EQUAL, family, 0))
    return made


def _memory_filter() -> Filter:
    made = Filter(_ALLOW)
    both = mmap.PROT_WRITE | mmap.PROT_EXEC
    made.rule(_ERRNO | errno.EPERM, "mmap", _Compared(2, _MASKED_EQUAL, both, both))
    for call in ("mprotect", "pkey_mprotect"):
        made.rule(_ERRNO | errno.EPERM, call, _Compared(2, _MASKED_EQUAL, mmap.PROT_EXEC, mmap.PROT_EXEC))
    made.rule(_ERRNO | errno.EPERM, "shmat", _Compared(2, _MASKED_EQUAL, _SHM_EXEC, _SHM_EXEC))
    return made


if __name__ == "__main__":
    apply(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
