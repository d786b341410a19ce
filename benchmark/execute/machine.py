"""What this machine offers a stage: cores, one thread each, a device."""

import os
import sys
from pathlib import Path

from benchmark.errors import BenchmarkError

# One thread a stage: sums are then added in the same order for any number of workers.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")

# glibc gives large blocks back to the system and faults them in again at every iteration. Kept, the losses of a
# miniature training step take a third less time, SimNet an eighth. Other C libraries ignore these.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}

NVIDIA_GPUS = Path("/proc/driver/nvidia/gpus")  # a folder for each; asking torch would cost seconds


def available_cores() -> int:
    """Return the number of cores this process may use: its affinity, and the share its control group grants."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def default_workers() -> int:
    """Return one worker for each GPU that the driver shows; for each core where there is none, or it is not wanted."""
    if os.environ.get("BENCHMARK_DEVICE", "").startswith("cpu"):
        return available_cores()
    return len(list(NVIDIA_GPUS.glob("*"))) or available_cores()


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
