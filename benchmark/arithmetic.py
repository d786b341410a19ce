"""How numbers are rounded: alike on x86-64 machines with AVX2, or as fast as this one can.

The libraries below torch and NumPy choose their instructions by the processor, and with them the order of sums. The
last bits that differ are amplified by hundreds of iterations, until the same seeds give other tables. So instruction
sets are capped alike, before any of these libraries is loaded, unless the machine's best is asked for.
"""

import os
import platform
import sys
from collections.abc import Mapping, MutableMapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, get_args

from benchmark.errors import unknown

Level = Literal["portable", "machine"]
LEVELS: tuple[Level, ...] = get_args(Level)
VARIABLE = "BENCHMARK_ARITHMETIC"
CPU_INFO = Path("/proc/cpuinfo")

# AVX2 with FMA is what processors of the last decade have in common. Only MKL needs less (SSE2), and pays for it.
CAPS: Mapping[str, str] = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",  # on processors that are not Intel's, MKL takes no notice of any other
    "OPENBLAS_CORETYPE": "Haswell",
}
NUMPY_CAP = "NPY_DISABLE_CPU_FEATURES"
_NUMPY_BEYOND_AVX2 = {True: "X86_V4 AVX512_ICL AVX512_SPR", False: "AVX512F AVX512CD AVX512_SKX AVX512_ICL"}


def level(environment: Mapping[str, str] = os.environ) -> Level:
    """Return what ``$BENCHMARK_ARITHMETIC`` asks for. Raises BenchmarkError for a word it does not know."""
    asked = environment.get(VARIABLE) or "portable"
    for known in LEVELS:
        if asked == known:
            return known
    raise unknown("arithmetic", asked, LEVELS, f"${VARIABLE}")


def choose(wanted: Level) -> None:
    """Compute like this from now on, in workers and, unless torch is loaded already, in this process."""
    os.environ[VARIABLE] = wanted
    if "torch" not in sys.modules:  # too late here; and children would compute otherwise than their parent
        apply()


def apply(environment: MutableMapping[str, str] = os.environ) -> None:
    """Cap the instruction sets of libraries that are loaded from now on, here and in child processes.

    Nothing is capped where the machine's best is asked for, nor on a processor without AVX2: it would crash, or compute
    something else in any case.
    """
    if level(environment) == "portable":
        environment.update(caps(_flags()))
    else:
        for name, value in caps(_flags()).items():  # those of a process that was portable; the user's own stay
            if environment.get(name) == value:
                del environment[name]


def caps(flags: frozenset[str]) -> dict[str, str]:
    """Return the environment variables that cap a processor with such flags; none where it lacks AVX2 or FMA."""
    if not {"avx2", "fma"} <= flags:
        return {}
    beyond = {NUMPY_CAP: _NUMPY_BEYOND_AVX2[_numpy_has_levels()]} if "avx512f" in flags else {}
    return {**CAPS, **beyond}


def facts() -> dict[str, Any]:
    """Return what the bits of a result depend on beside versions, as provenance keeps it.

    ``level`` is ``portable`` only where every cap was in place when torch was loaded.
    """
    torch = sys.modules.get("torch")
    capability = str(torch.backends.cpu.get_cpu_capability()) if torch else ""
    capped = bool(caps(_flags())) and all(os.environ.get(name) == value for name, value in caps(_flags()).items())
    return {
        "level": "portable" if capped and capability in {"", "AVX2"} else "machine",
        "cpu": cpu_model(),
        "capability": capability,
        "onednn": os.environ.get("ONEDNN_MAX_CPU_ISA", ""),
        "mkl": os.environ.get("MKL_CBWR", ""),
        "blas": _blas() if torch else "",
    }


@cache
def cpu_model() -> str:
    """Return the processor's name as the system tells it."""
    return _cpu_info().get("model name") or platform.processor() or platform.machine()


@cache
def _flags() -> frozenset[str]:
    return frozenset(_cpu_info().get("flags", "").split())


@cache
def _cpu_info() -> Mapping[str, str]:
    """Return what Linux says of the first processor, nothing elsewhere."""
    try:
        first = CPU_INFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


@cache
def _blas() -> str:
    """Return the line in which torch names the library of its matrix products."""
    import torch

    lines = (line.strip(" -").partition(" for ")[0] for line in torch.__config__.show().splitlines())
    return next((line for line in lines if "Math Kernel Library" in line or "OpenBLAS" in line), "")


@cache
def _numpy_has_levels() -> bool:
    """Return whether the installed NumPy names instruction sets by level, as it does since 2.4."""
    try:
        major, minor, *_ = version("numpy").split(".")
    except (PackageNotFoundError, ValueError):
        return True
    return (int(major), int(minor)) >= (2, 4)
