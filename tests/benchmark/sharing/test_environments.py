"""Why one key has two results, as far as their provenance tells."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.files import write_json
from benchmark.sharing.environments import LONGEST, facts, likely_reason
from benchmark.stage import Stage
from benchmark.store import Store

EPYC = {"level": "machine", "cpu": "AMD EPYC", "capability": "AVX2", "onednn": "", "mkl": "", "blas": "OpenBLAS 0.3.29"}
XEON = EPYC | {"cpu": "Intel Xeon", "capability": "AVX512", "onednn": "AVX512_CORE"}
OLD: dict[str, Any] = {
    "git_commit": "a" * 40,
    "git_dirty": False,
    "python": "3.11.7",
    "packages": {"torch": "2.15.0", "numpy": "2.4.6", "mlflow": "3.17.2"},
    "platform": "Linux-6.18-x86_64",
    "device": "cpu",
    "threads": 1,
    "dataset_digest": "d" * 64,
}
NEW = OLD | {"arithmetic": EPYC}

TRAINED = Stage("train", "training", "methods.x:train", 1, {})
EVALUATED = Stage("evaluate", "evaluation", "methods.x:evaluate", 1, {}, {"model": TRAINED})


@pytest.fixture
def reason(tmp_path: Path) -> Any:
    """Return a function from what two stores know of a training and its evaluation to the reason that is named."""

    def named(here: tuple[Any, Any], there: tuple[Any, Any]) -> str:
        stores = Store(tmp_path / "here"), Store(tmp_path / "there")
        for store, known in zip(stores, (here, there), strict=True):
            for stage, provenance in zip((TRAINED, EVALUATED), known, strict=True):
                if provenance is not None:
                    write_json(store.folder(stage.key) / "result.json", {"provenance": provenance})
        return likely_reason(EVALUATED, *stores)

    return named


def test_what_differs_is_named_with_both_sides(reason: Any) -> None:
    other = NEW | {"arithmetic": XEON, "packages": OLD["packages"] | {"torch": "2.14.1", "mlflow": "3.5"}, "threads": 4}
    assert reason((NEW, NEW), (other, other)) == (
        "made differently, which is the likely reason: CPU: AMD EPYC here, Intel Xeon there; instruction set: AVX2 "
        "here, AVX512 there; oneDNN: none here, AVX512_CORE there; torch: 2.15.0 here, 2.14.1 there; threads: 1 here, "
        "4 there"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"device": "cuda"}, "device: cpu here, cuda there"),
        ({"python": "3.12.1"}, "Python: 3.11.7 here, 3.12.1 there"),
        ({"platform": "macOS-15"}, "platform: Linux-6.18-x86_64 here, macOS-15 there"),
        ({"git_dirty": True}, "code: commit aaaaaaaaaaaa here, commit aaaaaaaaaaaa and changes there"),
        ({"arithmetic": EPYC | {"blas": "MKL 2025"}}, "BLAS: OpenBLAS 0.3.29 here, MKL 2025 there"),
        ({"arithmetic": EPYC | {"mkl": "COMPATIBLE"}}, "MKL: none here, COMPATIBLE there"),
        ({"arithmetic": EPYC | {"level": "portable"}}, "arithmetic: machine here, portable there"),
        ({"packages": {"torch": "2.15.0", "numpy": "2.5"}}, "numpy: 2.4.6 here, 2.5 there"),
    ],
)
def test_each_fact_is_compared(reason: Any, change: Any, said: str) -> None:
    other = NEW | change
    assert reason((NEW, NEW), (other, other)) == f"made differently, which is the likely reason: {said}"


def test_a_training_on_another_machine_is_a_difference_though_the_evaluation_is_not(reason: Any) -> None:
    third = NEW | {"arithmetic": XEON | {"cpu": "Intel Core", "capability": "AVX2", "onednn": ""}}
    assert reason((NEW, NEW), (third, NEW)).endswith(": CPU: AMD EPYC here, Intel Core there")
    both = reason((NEW, NEW), (third, NEW | {"arithmetic": EPYC | {"cpu": "AMD Ryzen"}}))
    assert both.endswith(": CPU: AMD EPYC here, Intel Core and AMD Ryzen there")


def test_old_results_do_not_know_their_cpu(reason: Any) -> None:
    assert reason((NEW, NEW), (OLD, OLD)) == (
        "nothing known on both sides differs, but another CPU alone would explain it: CPU: AMD EPYC here, unknown there"
    )
    assert reason((OLD, OLD), (OLD, OLD)).endswith(": CPU: unknown here, unknown there")
    other = OLD | {"packages": {"torch": "2.14.1"}}
    assert reason((NEW, NEW), (other, other)).endswith(
        ": torch: 2.15.0 here, 2.14.1 there; CPU: AMD EPYC here, unknown there"
    )


def test_a_fact_that_differs_in_one_stage_is_told_once_though_another_lacks_it(reason: Any) -> None:
    trained = NEW | {"arithmetic": EPYC | {"cpu": "Intel Core"}}
    assert reason((NEW, NEW), (trained, OLD)).endswith(" reason: CPU: AMD EPYC here, Intel Core there")


def test_the_same_environments_leave_chance_and_damage(reason: Any) -> None:
    assert reason((NEW, NEW), (NEW, NEW)) == (
        "the recorded environments are the same, so computing again gives other numbers even there (as some GPU "
        "kernels do), or one of the results was damaged or changed"
    )


def test_trainings_that_only_one_side_knows_may_be_the_reason(reason: Any) -> None:
    assert reason((None, NEW), (NEW, NEW)) == (
        "the recorded environments are the same, but those of the stages before are not recorded on both sides"
    )


def test_results_of_which_nothing_is_known(reason: Any) -> None:
    assert "CPU: AMD EPYC here, unknown there; torch: 2.15.0 here, unknown there" in reason((NEW, NEW), ({}, {}))


@pytest.mark.parametrize("value", [[], "EPYC", 1, None, {"cpu": None}])
def test_provenance_from_anywhere_may_be_anything(value: Any) -> None:
    found = facts({"arithmetic": value, "packages": value, "threads": value})
    assert not {"CPU", "torch"} & found.keys()


def test_a_fact_is_a_short_line() -> None:
    found = facts({"arithmetic": {"cpu": "two\nlines " * 50, "blas": {"name": "x"}}, "device": ""})
    assert found["CPU"].startswith("two lines two")
    assert len(found["CPU"]) == LONGEST
    assert (found["BLAS"], found["device"]) == ("{'name': 'x'}", "none")
