"""Names of devices, found without torch, and their memory."""

from pathlib import Path

import pytest

from benchmark.costs import device
from benchmark.costs.device import cpu_name, forget_peak, gpu_names, out_of_memory, own_devices, peak_bytes


def test_the_driver_names_the_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, model in enumerate(("NVIDIA H200", "Tesla T4")):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 16\nGPU UUID: \t GPU-1\n")
    assert gpu_names(tmp_path) == ["NVIDIA H200", "Tesla T4"]
    assert gpu_names(tmp_path / "none") == []
    monkeypatch.setattr(device, "gpu_names", lambda: gpu_names(tmp_path))
    assert own_devices() == ["NVIDIA H200", "Tesla T4"]
    monkeypatch.setenv("BENCHMARK_DEVICE", "cpu")
    assert own_devices() == [cpu_name()]


def test_the_system_names_the_processor(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A Processor 9\nflags\t\t: x\n")
    assert cpu_name(tmp_path / "cpuinfo") == "A Processor 9"
    assert cpu_name(tmp_path / "none")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system keeps one peak for each process")
def test_the_peak_of_a_processor_is_that_since_it_was_forgotten() -> None:
    forget_peak("cpu")
    before = peak_bytes("cpu")
    large = bytearray(b"x") * (64 << 20)
    during = peak_bytes("cpu")
    assert during - before > 50 << 20
    del large
    forget_peak("cpu")
    assert peak_bytes("cpu") < during - (50 << 20)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), True),
        (RuntimeError("the toy is broken"), False),
    ],
)
def test_memory_that_is_too_small_is_told_from_other_faults(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) == expected
