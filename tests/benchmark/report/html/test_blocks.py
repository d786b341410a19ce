"""Blocks hold what they are named after, or say that they do not."""

import base64
import hashlib
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BenchmarkError
from benchmark.report.html.blocks import Block, Blocks


@given(st.binary(max_size=400))
def test_content_comes_back(content: bytes) -> None:
    block = Block.of(content)
    assert block.content == content
    assert block.name == hashlib.sha256(content).hexdigest()


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_character_can_change_unnoticed(content: bytes, data: st.DataObject) -> None:
    block = Block.of(content)
    place = data.draw(st.integers(0, len(block.text) - 1))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    other = data.draw(st.sampled_from(letters).filter(lambda letter: letter != block.text[place]))
    changed = block._replace(text=block.text[:place] + other + block.text[place + 1 :])
    try:
        found = changed.content
    except BenchmarkError:
        return
    assert found == content  # bits that base64 does not use; the digest of the whole file finds these


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "?"}, "damaged"),
        ({"size": 3}, "3 bytes"),
        ({"size": 5}, "5 bytes"),
        ({"name": "0" * 64}, "another SHA-256"),
        ({"text": base64.b64encode(zlib.compress(b"text") + b"more").decode()}, "4 bytes"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        _ = Block.of(b"text")._replace(**change).content  # type: ignore[arg-type]


def test_a_small_file_cannot_fill_the_memory() -> None:
    packed = base64.b64encode(zlib.compress(bytes(10**7))).decode()
    tracemalloc.start()
    with pytest.raises(BenchmarkError, match="100 bytes"):
        _ = Block("0" * 64, 100, packed).content
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**6


def test_the_same_content_is_kept_once() -> None:
    blocks = Blocks()
    first, second = blocks.add(b"a"), blocks.add(b"a")
    assert first == second
    assert [block.name for block in blocks] == [first]
    assert blocks[first] == b"a"
    with pytest.raises(BenchmarkError, match="is missing"):
        _ = blocks["0" * 64]
