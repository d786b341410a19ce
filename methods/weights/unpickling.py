"""Pickles of weights, read without running what they ask for.

A pickle is a program: it may name anything that can be imported, and call it. Here a name leads to a stand-in of this
module or to a refusal; nothing is imported, and neither numpy nor torch is handed out, because some of their functions
read nested pickles (``torch.storage._load_from_bytes``) or make arrays of pointers (a forged ``numpy.dtype``).
"""

import io
import pickle
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

KINDS = frozenset({"b1", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})
ORDERS = frozenset("<>=|")


class RefusedError(pickle.UnpicklingError):
    """A pickle asks for something that has no place in a file of weights."""


class Leaf:
    """An array or tensor of a pickle; ``tensor`` is there once its content has been read."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor | None = None) -> None:
        self.tensor = tensor

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        self.tensor = _array(content, kind, shape, "F" if fortran else "C")


class _Kind:
    """Stands in for ``numpy.dtype``: plain numbers only."""

    __slots__ = ("code",)

    def __init__(self, code: str, *_: Any) -> None:
        if code not in KINDS:
            raise RefusedError(f"an array of {code!r}, which is no plain number")
        self.code = code

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order not in ORDERS or len(self.code) > 2:
            raise RefusedError(f"an array of byte order {order!r}")
        self.code = order + self.code


class _Named(dict[Any, Any]):
    """Stands in for ``OrderedDict``; attributes that a pickle would set on it, as torch's versions, are dropped."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class _Call:
    """A function that a pickle may call and cannot alter."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise RefusedError("changing a function")


def _array(content: Any, kind: Any, shape: Any, order: Any) -> Tensor:
    if not isinstance(kind, _Kind):
        raise RefusedError("an array of unknown type")
    if isinstance(content, str):  # as Python 2 wrote bytes
        content = content.encode("latin1")
    flat = np.frombuffer(content, kind.code)
    if flat.size != prod(shape):
        raise ValueError(f"an array of shape {tuple(shape)} with {flat.size} numbers")
    whole = flat.reshape(shape, order=order)
    return torch.from_numpy(np.array(whole, whole.dtype.newbyteorder("="), order="C"))


def _from_buffer(content: Any, kind: Any, shape: Any, order: Any) -> Leaf:
    return Leaf(_array(content, kind, shape, order))


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that protocol 2 writes as text."""
    if encoding != "latin1":
        raise RefusedError(f"the encoding {encoding!r}")
    return text.encode("latin1")


def _storage(content: bytes) -> Tensor:
    """Return the numbers of a storage (N,); it is a pickle of its own, read by torch's restricted unpickler."""
    storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return torch.empty(0, dtype=storage.dtype).set_(storage._untyped_storage)


def _tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Leaf:
    return Leaf(torch.as_strided(storage, size, stride, offset))  # torch checks the bounds


def _parameter(data: Leaf, *_: Any) -> Leaf:
    return data


def _no_call(*_: Any) -> None:
    raise RefusedError("a call of a class")


STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _Named,
    ("_codecs", "encode"): _encoded,
    ("numpy", "dtype"): _Kind,
    ("numpy", "ndarray"): _no_call,  # an argument of _reconstruct
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "_load_from_bytes"): _storage,
}
for _core in ("numpy.core", "numpy._core"):  # before numpy 2, and since
    STAND_INS[f"{_core}.multiarray", "_reconstruct"] = lambda *_: Leaf()
    STAND_INS[f"{_core}.numeric", "_frombuffer"] = _from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _Call(STAND_INS[module_name, global_name])
        except KeyError:
            raise RefusedError(f"{module_name}.{global_name}") from None


def read_pickle(path: Path) -> Any:
    """Return what a pickle holds: containers, numbers, text, and a ``Leaf`` for each array and tensor.

    Raises:
        RefusedError: it asks for anything else; the message is what.
        Exception: whatever a broken pickle causes.
    """
    with path.open("rb") as stream:
        return _Unpickler(stream, encoding="latin1").load()
