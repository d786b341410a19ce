"""The device of a measurement: its name, found without torch, and the memory that work on it takes."""

import gc
import os
import platform
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmark.execute.machine import NVIDIA_GPUS

KIB = 1024


def gpu_names(folder: Path = NVIDIA_GPUS) -> list[str]:
    """Return the model of every GPU that the driver shows, as torch names it."""
    found = []
    for file in sorted(folder.glob("*/information")):
        with suppress(OSError):
            found += re.findall(r"^Model:\s*(.+?)\s*$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return found


def cpu_name(file: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model of the processor."""
    with suppress(OSError):
        named = re.search(r"^model name\s*:\s*(.+?)\s*$", file.read_text(encoding="utf-8"), re.MULTILINE)
        if named:
            return named[1]
    return platform.processor() or platform.machine()


def own_devices() -> list[str]:
    """Return what a run on this machine would compute on."""
    gpus = [] if os.environ.get("BENCHMARK_DEVICE", "").startswith("cpu") else gpu_names()
    return gpus or [cpu_name()]


def device_name(device: str) -> str:
    """Return the model of torch's ``cpu`` or ``cuda``."""
    if not device.startswith("cuda"):
        return cpu_name()
    from torch.cuda import get_device_name

    return str(get_device_name(device))


def clock_of(device: str) -> Callable[[], float]:
    """Return what measures work on the device: of a processor its own time, whatever else it has to do meanwhile."""
    return time.perf_counter if device.startswith("cuda") else time.process_time


def wait_for(device: str) -> None:
    """Return when the device has done what it was told to."""
    if device.startswith("cuda"):
        from torch.cuda import synchronize

        synchronize(device)


def forget_peak(device: str) -> None:
    """Free what nobody uses, and begin to watch how much memory is."""
    gc.collect()
    if device.startswith("cuda"):
        from torch.cuda import empty_cache, init, reset_peak_memory_stats

        init()  # type: ignore[no-untyped-call]
        empty_cache()
        reset_peak_memory_stats(device)
        return
    with suppress(OSError):  # not Linux, or not allowed: the peak is then that of the whole process
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes(device: str) -> int:
    """Return the most memory in use since ``forget_peak``: of the GPU by tensors, else by this process."""
    if device.startswith("cuda"):
        from torch.cuda import max_memory_allocated

        return int(max_memory_allocated(device))
    with suppress(OSError):
        peak = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
        if peak:
            return int(peak[1]) * KIB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


def out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory was too small, on any device."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)
