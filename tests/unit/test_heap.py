from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
from pipeline.heap import keep_freed_memory
{prepare}
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def take(): return [bytearray(b"x" * 300_000) for _ in range(10)]
take()
before = faults()
for _ in range(50): take()
print(faults() - before)
"""


def _faults(prepare: str) -> int:
    program = FAULTS.format(prepare=prepare)
    return int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's knob")
def test_freed_memory_is_not_faulted_in_again() -> None:
    assert _faults("assert keep_freed_memory()") < _faults("") / 2


RESIDENT = """
from pipeline.heap import settle, keep_freed_memory
assert keep_freed_memory()
def resident(): return int(open("/proc/self/statm").read().split()[1])
kept = [bytearray(b"x" * 100_000) for _ in range(150)]
del kept[:-1]
before = resident()
assert settle()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's knob")
def test_free_memory_is_given_back() -> None:
    pages = int(subprocess.run([sys.executable, "-c", RESIDENT], check=True, capture_output=True).stdout)
    assert pages > 1000


SETTLED = """
import gc, weakref
from pipeline.heap import settle
class Part: pass
def ring():
    part = Part()
    part.itself = part
    return part
old = ring()
settle()
assert gc.get_freeze_count() > 1000
seen = weakref.ref(old)
del old
gc.collect()
assert seen() is not None
settle()
print(seen() is None)
"""


def test_what_a_reload_leaves_behind_goes_when_memory_settles_again() -> None:
    assert subprocess.run([sys.executable, "-c", SETTLED], check=True, capture_output=True).stdout == b"True\n"


LONGEST = """
import gc, time
from pipeline.heap import settle
{prepare}
longest = began = 0.0
def note(phase, info):
    global longest, began
    if phase == "start":
        began = time.thread_time()
    elif info["generation"] < 2:
        longest = max(longest, time.thread_time() - began)
gc.callbacks.append(note)
waiting = [[[], [], []] for _ in range(50_000)]
print(round(longest * 1e6))
"""


def _longest_us(prepare: str) -> int:
    program = LONGEST.format(prepare=prepare)
    return min(
        int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout) for _ in range(3)
    )


def test_many_objects_that_wait_are_gone_through_in_small_parts() -> None:
    assert _longest_us("settle()") < _longest_us("gc.set_threshold(10_000, 10, 10)") / 2
