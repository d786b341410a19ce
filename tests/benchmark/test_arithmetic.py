import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import arithmetic
from benchmark.errors import BenchmarkError

AVX2 = frozenset({"avx2", "fma"})
AVX512 = AVX2 | {"avx512f"}


def test_caps_are_alike_on_every_processor_with_avx2() -> None:
    libraries = {"ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "OPENBLAS_CORETYPE"}
    small, large = arithmetic.caps(AVX2), arithmetic.caps(AVX512)
    assert set(small) == libraries
    assert small.items() <= large.items()
    assert set(large) - libraries == {"NPY_DISABLE_CPU_FEATURES"}


@pytest.mark.parametrize("flags", [frozenset(), frozenset({"avx2"}), frozenset({"fma", "avx512f"})])
def test_what_a_processor_lacks_is_not_asked_for(flags: frozenset[str]) -> None:
    assert arithmetic.caps(flags) == {}


def test_the_machine_s_best_takes_caps_of_a_portable_parent_back_and_leaves_the_user_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arithmetic, "_flags", lambda: AVX512)
    environment = {**arithmetic.caps(AVX512), "MKL_CBWR": "AVX512", "BENCHMARK_ARITHMETIC": "machine"}
    arithmetic.apply(environment)
    assert environment == {"MKL_CBWR": "AVX512", "BENCHMARK_ARITHMETIC": "machine"}


def test_portable_is_the_default_and_wins_over_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "_flags", lambda: AVX2)
    environment = {"MKL_CBWR": "AVX512"}
    arithmetic.apply(environment)
    assert environment == arithmetic.caps(AVX2)


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BenchmarkError, match=r"portabel.*portable"):
        arithmetic.level({"BENCHMARK_ARITHMETIC": "portabel"})


def _in_a_process(code: str, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in {*arithmetic.CAPS}}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


CAPPED = bool(arithmetic.caps(arithmetic._flags()))
FACTS = (
    "import json; from benchmark.arithmetic import choose, facts; choose({level!r}); import torch; "
    "print(json.dumps(facts()))"
)


@pytest.mark.skipif(not CAPPED, reason="nothing is capped on a processor without AVX2")
def test_provenance_says_what_was_computed_with() -> None:
    facts = json.loads(_in_a_process(FACTS.format(level="portable")))
    assert facts["level"] == "portable"
    assert facts["capability"] == "AVX2"
    assert facts["mkl"] == "COMPATIBLE"
    assert facts["cpu"]
    assert facts["blas"]


def test_caps_that_came_too_late_are_not_called_portable() -> None:
    late = "import json, torch; from benchmark.arithmetic import facts; print(json.dumps(facts()))"
    assert json.loads(_in_a_process(late))["level"] == "machine"
    assert json.loads(_in_a_process(FACTS.format(level="machine")))["level"] == "machine"


def test_where_torch_is_loaded_children_are_not_capped_either() -> None:
    code = (
        "import os, torch; from benchmark.arithmetic import choose; choose('portable'); print('MKL_CBWR' in os.environ)"
    )
    assert _in_a_process(code) == "False"


def test_the_command_line_caps_before_anything_heavy_is_loaded() -> None:
    code = (
        "import os, sys; from benchmark.cli import main; main(['methods']); "
        "print(os.environ.get('ATEN_CPU_CAPABILITY'), 'torch' in sys.modules)"
    )
    assert _in_a_process(code).splitlines()[-1] == f"{'avx2' if CAPPED else None} False"
    assert _in_a_process(code, BENCHMARK_ARITHMETIC="machine").splitlines()[-1] == "None False"
