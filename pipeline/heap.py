"""Memory: what the C library does with it when it is free, and what the garbage collector looks at."""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_KEEP_FREE_BYTES: Final = 16 << 20
_LARGEST_ON_HEAP_BYTES: Final = 4 << 20
# Of each generation of the garbage collector. The middle one is gone through as soon as it has two times the youngest:
# ten times, which is CPython's habit, hold the event loop up for 80 ms where traces wait in thousands. So that all
# objects are gone through no more often, the oldest waits for more.
_NEW_OBJECTS: Final = (10_000, 1, 50)


def keep_freed_memory() -> bool:
    """Keep some freed memory for the next request; False where the C library has no such knob.

    glibc gives memory back after every request of some 100 KiB and faults it in again for the next one, which costs a
    tenth of the CPU time of taking requests in. Up to 16 MiB a heap stay; `malloc_trim` still gives everything back.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    trimmed = mallopt(_M_TRIM_THRESHOLD, _KEEP_FREE_BYTES)
    mapped = mallopt(_M_MMAP_THRESHOLD, _LARGEST_ON_HEAP_BYTES)
    return bool(trimmed and mapped)


def settle() -> bool:
    """Return memory that is free now to the system; False where the C library cannot.

    Called when everything has started and after a reload: compiling patterns and reading price tables leaves 10 MiB of
    holes. What is left stays, so the garbage collector need not go through it again: that costs a tenth of the CPU time
    of a chain of processors.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_NEW_OBJECTS)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
