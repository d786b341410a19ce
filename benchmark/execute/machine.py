"""What this machine offers stages: cores, one thread each, GPUs, a device."""

import os
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from benchmark.errors import BenchmarkError, unknown

# One thread a stage: sums are then added in the same order for any number of workers.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")

# glibc gives large blocks back to the system and faults them in again at every iteration. Kept, the losses of a
# miniature training step take a third less time, SimNet an eighth. Other C libraries ignore these.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}

NVIDIA_GPUS = Path("/proc/driver/nvidia/gpus")  # a folder for each; asking torch would cost seconds


NO_GPU = frozenset({"", "-1", "NoDevFiles"})  # in CUDA_VISIBLE_DEVICES: nothing from here on


def available_cores() -> int:
    """Return the number of cores this process may use: its affinity, and the share its control group grants."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def default_workers(processes: int = 1, gpus: Sequence[str] | None = None) -> int:
    """Return how many stages of so many processes fit the GPUs; the cores where there is none, or it is not wanted.

    Args:
        processes: of a stage.
        gpus: as ``find_gpus`` returns them, which is asked for ``None``.
    """
    units = len(find_gpus() if gpus is None else gpus) or available_cores()
    return max(1, units // processes)


def find_gpus() -> tuple[str, ...]:
    """Return the GPUs for workers, as CUDA_VISIBLE_DEVICES takes them; none where the CPU is asked for.

    They are those that the variable names already (numbers, UUIDs, MIG instances), else all that the driver shows;
    ``$BENCHMARK_DEVICE``, as ``cuda:1``, chooses one of them.
    """
    asked, _, number = os.environ.get("BENCHMARK_DEVICE", "").partition(":")
    if asked == "cpu":
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        found = tuple(str(index) for index, _ in enumerate(NVIDIA_GPUS.glob("*")))
    else:
        found = tuple(takewhile(lambda gpu: gpu not in NO_GPU, (name.strip() for name in visible.split(","))))
    return found[int(number) : int(number) + 1] if number.isdigit() else found


def choose_gpus(wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the wanted ones of ``find_gpus``, all for ``None``. Raises BenchmarkError for one that is not there."""
    known = find_gpus()
    for gpu in wanted or ():
        if gpu not in known:
            raise unknown("GPU", gpu, known, "--gpus (CUDA_VISIBLE_DEVICES and BENCHMARK_DEVICE limit what there is)")
    return known if wanted is None else tuple(wanted)


def one_thread() -> None:
    """Hold numerical libraries to one thread, those loaded later through the environment."""
    os.environ.update(ONE_THREAD)
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def choose_device() -> str:
    """Return ``$BENCHMARK_DEVICE``, else ``cuda`` where torch finds a GPU, else ``cpu``."""
    asked = os.environ.get("BENCHMARK_DEVICE", "")
    if asked and asked.partition(":")[0] not in {"cpu", "cuda"}:
        raise BenchmarkError(f"BENCHMARK_DEVICE is {asked!r}; expected cpu or cuda.")
    if asked.startswith("cpu"):
        return asked
    import torch

    if asked and not torch.cuda.is_available():
        raise BenchmarkError(f"BENCHMARK_DEVICE is {asked!r}, but torch finds no GPU; unset it or set it to cpu.")
    return asked or ("cuda" if torch.cuda.is_available() else "cpu")


def device_title(device: str) -> str:
    """Return the device with its model's name, for provenance."""
    if not device.startswith("cuda"):
        return device
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"
