"""The inputs and outputs of the released code are what they were when it ran."""

import hashlib
from collections.abc import Mapping
from typing import Any

from tests.released import FILE

DIGEST = "2f1f8d7ebf132893ba6bc7fbe1646fbf2dd9aadbf9c83acde3c402d4cd653b73"


def test_every_array_has_the_bytes_that_the_released_code_read_or_wrote(released: Mapping[str, Any]) -> None:
    digest = hashlib.sha256()
    for name, array in sorted(released.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    assert len(released) == 142
    assert digest.hexdigest() == DIGEST


def test_the_file_is_small_enough_for_a_repository() -> None:
    assert FILE.stat().st_size < 1_000_000
