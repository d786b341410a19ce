"""Blocks: what travels inside a page beside its text, compressed, each named by the SHA-256 of its content."""

import base64
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from benchmark.errors import BenchmarkError

LARGEST = 2**29  # bytes of one block unpacked; a page from anywhere must not fill the memory


class Block(NamedTuple):
    """One block.

    Attributes:
        name: SHA-256 of the content, 64 hexadecimal digits.
        size: bytes of the content.
        text: the content, deflated (zlib) and in base64.
    """

    name: str
    size: int
    text: str

    @classmethod
    def of(cls, content: bytes) -> "Block":
        """Return the block of some content."""
        packed = base64.b64encode(zlib.compress(content)).decode()
        return cls(hashlib.sha256(content).hexdigest(), len(content), packed)

    @property
    def content(self) -> bytes:
        """The content. Raises BenchmarkError where it is not what name and size say."""
        try:
            packed = base64.b64decode(self.text, validate=True)
            stream = zlib.decompressobj()
            content = stream.decompress(packed, min(self.size, LARGEST) + 1)
        except (ValueError, zlib.error) as error:
            raise BenchmarkError(f"block {self.name[:12]} is damaged ({error}).") from error
        if len(content) != self.size or not stream.eof or stream.unused_data:
            raise BenchmarkError(f"block {self.name[:12]} does not hold the {self.size} bytes that it should.")
        if hashlib.sha256(content).hexdigest() != self.name:
            raise BenchmarkError(f"block {self.name[:12]} has another SHA-256 than its name says.")
        return content


class Blocks:
    """The blocks of a page by name; content that is added twice is kept once."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self._blocks = {block.name: block for block in blocks}

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks.values())

    def __contains__(self, name: str) -> bool:
        return name in self._blocks

    def add(self, content: bytes) -> str:
        """Keep some content and return its name."""
        name = hashlib.sha256(content).hexdigest()
        if name not in self._blocks:
            self._blocks[name] = Block.of(content)
        return name

    def __getitem__(self, name: str) -> bytes:
        """Return the content of a block. Raises BenchmarkError where it is missing or damaged."""
        if name not in self._blocks:
            raise BenchmarkError(f"block {name[:12]} is missing.")
        return self._blocks[name].content
