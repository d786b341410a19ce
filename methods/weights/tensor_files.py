"""Files of named tensors in the formats that others use, read without executing anything they hold."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from benchmark.errors import BenchmarkError
from benchmark.wording import escaped, unprintable
from methods.weights.unpickling import Leaf, RefusedError, read_pickle

Format = Literal["safetensors", "torch", "pickle"]

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch's files before its zip format begin
LONGEST_NAME = 500  # characters of the name of a tensor
MOST_TENSORS = 100_000  # networks have some hundreds
WAY_OUT = "Get the file again from where it was published, or take another."


class TensorFile(NamedTuple):
    """Attributes.

    format: by content, whatever the file's name.
    tensors: by name; those of entry ``model`` or ``state_dict`` where the file has one.
    author: who wrote it, as detectron2's pickles say; else empty.
    metadata: of a safetensors file.
    """

    format: Format
    tensors: dict[str, Tensor]
    author: str
    metadata: Mapping[str, str]


def read_tensors(path: Path) -> TensorFile:
    """Return what a file of weights holds, on the CPU: safetensors, a file of ``torch.save``, a pickle as detectron2's.

    Raises:
        BenchmarkError: no such file, a broken one, one without tensors, or one that asks for code to be run.
    """
    try:
        kind = file_format(path)
        if kind == "safetensors":
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
            return TensorFile(kind, load_file(path), "", metadata)
        content = _torch_content(path) if kind == "torch" else read_pickle(path)
    except FileNotFoundError as error:
        raise BenchmarkError(f"{path}: there is no such file.") from error
    except RefusedError as error:
        raise BenchmarkError(
            f"{path} is refused: it asks for {error}, which has no place in a file of weights. Nothing of it was run. "
            f"{WAY_OUT}"
        ) from error
    except Exception as error:  # a broken file may raise anything
        what = str(error).partition("\n")[0] or "no reason given"
        raise BenchmarkError(
            f"{path} cannot be read as weights; it is incomplete, broken or of another kind ({_size(path)} bytes, "
            f"{type(error).__name__}: {what}). {WAY_OUT}"
        ) from error
    author = content.get("__author__", "") if isinstance(content, dict) else ""
    return TensorFile(kind, _named_tensors(path, content), author if isinstance(author, str) else "", {})


def file_format(path: Path) -> Format:
    """Return the format of a file, by how it begins. Raises OSError, and ValueError for one of another kind."""
    with path.open("rb") as stream:
        head = stream.read(len(LEGACY))
    if head.startswith((ZIP, LEGACY)):
        return "torch"
    if head[8:9] == b"{":
        return "safetensors"
    if head[:1] == b"\x80":
        return "pickle"
    raise ValueError("it begins like none of safetensors, torch.save and pickle")


def _torch_content(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # its text advises to load without the restriction
        asked = re.search(r"GLOBAL (\S+)|(?:global|class|function|type) '?([\w.]+\.\w+)", str(error))
        if asked is None:
            raise
        raise RefusedError(asked[1] or asked[2]) from error


def _named_tensors(path: Path, content: Any) -> dict[str, Tensor]:
    for entry in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(entry), dict):
            content = content[entry]
    if isinstance(content, dict) and len(content) > MOST_TENSORS:
        raise BenchmarkError(f"{path} names {len(content):,} tensors; at most {MOST_TENSORS:,} are read. {WAY_OUT}")
    if not isinstance(content, dict) or not content:
        raise BenchmarkError(f"{path} holds no named tensors, but a {type(content).__name__}. {WAY_OUT}")
    tensors: dict[str, Tensor] = {}
    for name, value in content.items():
        tensor = value.tensor if isinstance(value, Leaf) else value
        if not (isinstance(name, str) and isinstance(tensor, Tensor)):
            raise BenchmarkError(
                f"{path}: {name!r:.80} is a {type(tensor).__name__}, where a named tensor was expected. {WAY_OUT}"
            )
        if len(name) > LONGEST_NAME or next(unprintable(name), ""):
            raise BenchmarkError(
                f"{path}: a tensor is called '{escaped(name, 80)}' ({len(name)} characters); names are one line of at "
                f"most {LONGEST_NAME} visible ones. {WAY_OUT}"
            )
        tensors[name] = tensor
    return tensors


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
