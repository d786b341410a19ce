"""Work in several processes: results, errors, deaths."""

import os
import signal
from contextlib import closing

import pytest

from benchmark.datasets.preparation.crew import each
from benchmark.errors import BenchmarkError


def square(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number * number


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def process_of(number: int) -> int:
    return os.getpid() + 0 * number


@pytest.mark.parametrize("workers", [0, 2])
def test_all_results_come(workers: int) -> None:
    assert sorted(each(square, range(20), workers)) == [n * n for n in range(20)]
    assert list(each(square, [], workers)) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_comes_through(workers: int) -> None:
    with pytest.raises(ValueError, match="-1 is negative") as raised:
        list(each(square, [1, -1, 2], workers))
    if workers:
        assert "in square" in raised.value.__notes__[0]


def test_a_worker_that_is_killed_is_told() -> None:
    with pytest.raises(BenchmarkError, match=r"killed from outside.*fewer --workers"):
        list(each(die, range(3), 1))


def test_no_worker_outlives_its_crew() -> None:
    with closing(each(process_of, range(100), 1)) as results:
        worker = next(results)
    assert worker != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
