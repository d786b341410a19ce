"""The shipped table of GPUs: peak figures from data sheets, and the share of them that is assumed to be reached."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from benchmark.errors import unknown
from benchmark.validation import validated
from benchmark.yaml12 import load_mapping

FILE = Path(__file__).with_name("gpus.yaml")
FULL = "fp32"
Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Gpu:
    """Peak TFLOP/s by precision, where the GPU has it; ``memory`` in GiB; ``source`` says where the figures stand."""

    memory: Positive
    fp32: Positive
    source: str
    tf32: Positive | None = None
    bf16: Positive | None = None


@dataclass(frozen=True)
class GpuTable:
    """The content of ``gpus.yaml``."""

    utilisation: dict[str, Positive]
    default: str
    gpus: dict[str, Gpu]

    def named(self, name: str) -> str:
        """Return the one name that a user means. Raises BenchmarkError with what is known."""
        found = next((one for one in self.gpus if plain(one) == plain(name)), None)
        if found is None:
            raise unknown("GPU", name, self.gpus, "--gpu, which may also name one that was measured")
        return found

    def among(self, models: Iterable[str]) -> str | None:
        """Return the first of the GPUs of a machine that the table has: ``NVIDIA A100-SXM4-80GB`` is an A100."""
        return next((name for model in models for name in self.gpus if plain(name) in plain(model)), None)

    def tflops(self, name: str) -> Mapping[str, float]:
        """Return precision -> assumed TFLOP/s; one that the GPU lacks is computed in fp32."""
        gpu = self.gpus[name]
        share = self.utilisation
        full = gpu.fp32 * share[FULL]
        own = {"tf32": gpu.tf32, "bf16": gpu.bf16}
        return {FULL: full} | {one: peak * share[one] if peak else full for one, peak in own.items()}


@cache
def gpu_table() -> GpuTable:
    """Return the shipped table. Raises BenchmarkError where it is broken."""
    return validated(GpuTable, load_mapping(FILE, "the table maps utilisation, default and gpus to values"), str(FILE))


def plain(name: str) -> str:
    """Return a name without what users write in different ways."""
    return re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("nvidia"))
