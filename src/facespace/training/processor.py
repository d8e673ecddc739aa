"""What the processor gives to training: native bfloat16, and memory kept between steps."""

import ctypes

import torch

# mallopt's parameters in glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks for the next batch instead of returning them to the system.

    A training step frees and asks again for the same large blocks; returned, each costs page faults again, about
    a fifth of a step's time. Elsewhere than on glibc nothing happens.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_MMAP_MAX, 0)
    except (OSError, AttributeError):
        return


def has_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is quicker than float32 there: a GPU that has it, or a processor with AVX512-BF16 or AMX.

    Elsewhere it is emulated, at a tenth of float32's speed.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported()
    tests = (
        getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return any(test() for test in tests if test is not None)
