"""What tests of the methods share: one thread, which gives the same numbers everywhere, and a few images."""

from collections.abc import Iterator

import pytest
import torch

from benchmark.datasets import load_dataset
from tests.methods.support import Few


@pytest.fixture(scope="session")
def few() -> Few:
    return Few(load_dataset("mini"), 12)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
