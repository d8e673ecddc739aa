"""Memory for training on a processor."""

import ctypes

__all__ = ["keep_freed_memory"]

# mallopt's parameters in glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks for the next batch instead of returning them to the system.

    A training step frees and asks again for the same large blocks; returned, each costs page faults anew, about
    a fifth of a step's time. Elsewhere than on glibc nothing happens.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_MAX, 0)
    except (OSError, AttributeError):
        return
