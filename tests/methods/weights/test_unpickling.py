"""Pickles of weights are read as written; nothing that asks for more comes through, and nothing of it runs."""

import collections
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from methods.weights.unpickling import Leaf, RefusedError, read_pickle

PROTOCOLS = (2, 4, 5)


class Bait:
    """Calls ``function`` with ``arguments`` when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.what = (function, arguments)

    def __reduce__(self) -> Any:
        return self.what


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def objects(bait: Bait) -> np.ndarray:
    array = np.empty(1, dtype=object)
    array[0] = bait
    return array


def module_and_name(module: str, name: str) -> bytes:
    """Return a pickle (protocol 4) that calls ``module.name`` without arguments; a dotted name looks up attributes."""
    parts = (b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name))
    return b"\x80\x04" + b"".join(parts) + b"\x93)R."


def test_the_bait_works(canary: Path) -> None:
    pickle.loads(pickle.dumps({"model": Bait(os.system, f"touch {canary}")}))
    assert canary.exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("place", "name"),
    [
        (lambda command: {"model": {"w": Bait(os.system, command)}}, "posix.system"),
        (lambda command: [1, ({"a": Bait(os.system, command)},)], "posix.system"),
        (lambda command: {"model": {"w": objects(Bait(os.system, command))}}, "."),
        (lambda command: Bait(eval, f"__import__('os').system({command!r})"), "eval"),
        (lambda command: Bait(exec, f"import os; os.system({command!r})"), "exec"),
        (lambda command: Bait(getattr, Bait(__import__, "os"), "system"), "getattr"),
        (lambda command: Bait(torch.load, command), "torch.serialization.load"),
        (lambda command: collections.OrderedDict(w=Bait(os.system, command)), "posix.system"),
    ],
    ids=["dict", "list", "object array", "eval", "exec", "getattr", "torch.load", "OrderedDict"],
)
def test_code_is_refused(place: Callable[[str], Any], name: str, protocol: int, tmp_path: Path, canary: Path) -> None:
    path = written(tmp_path / "w.pkl", pickle.dumps(place(f"touch {canary}"), protocol=protocol))
    with pytest.raises(RefusedError, match=name):
        read_pickle(path)
    assert not canary.exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_within_a_tensor_is_read_as_carefully(protocol: int, tmp_path: Path, canary: Path) -> None:
    inner = pickle.dumps(Bait(os.system, f"touch {canary}"), protocol=2)
    outer = pickle.dumps(Bait(torch.storage._load_from_bytes, inner), protocol=protocol)
    with pytest.raises(pickle.UnpicklingError, match=r"posix\.system|invalid magic"):
        read_pickle(written(tmp_path / "w.pkl", outer))
    stored = io.BytesIO()
    torch.save(Bait(os.system, f"touch {canary}"), stored, _use_new_zipfile_serialization=False)
    outer = pickle.dumps(Bait(torch.storage._load_from_bytes, stored.getvalue()), protocol=protocol)
    with pytest.raises(pickle.UnpicklingError, match=r"posix\.system"):
        read_pickle(written(tmp_path / "w.pkl", outer))
    assert not canary.exists()


@pytest.mark.parametrize(
    "content",
    [
        module_and_name("numpy.core.multiarray", "_reconstruct.__globals__"),
        module_and_name("numpy.core.multiarray", "sys.modules"),
        module_and_name("numpy._core.multiarray", "os.system"),
        module_and_name("numpy._core.multiarray._reconstruct", "__class__"),
        module_and_name("numpy", "dtype.__class__"),
        module_and_name("numpy", "load"),
        module_and_name("collections", "OrderedDict.__init__.__globals__"),
        module_and_name("torch", "hub.load"),
        module_and_name("torch._utils", "_import_dotted_name"),
        module_and_name("posix", "system"),
        b"cposix\nsystem\n(S'true'\ntR.",  # protocol 0
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x02cbuiltins\nobject\n)\x81.",  # NEWOBJ
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n}X\x08\x00\x00\x00__code__K\x01sb.",  # BUILD on a function
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nN}X\x08\x00\x00\x00__code__K\x01s\x86b.",  # the same, by slots
        b"\x80\x02cnumpy\nndarray\n(K\x01tR.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.",
    ],
)
def test_names_that_only_look_right_are_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        read_pickle(written(tmp_path / "w.pkl", content))


@pytest.mark.parametrize("dtype", ["O", "V8", "S3", "U2", "M8[s]", "c8", [("a", "O")]])
def test_arrays_of_other_things_than_numbers_are_refused(dtype: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "w.pkl", pickle.dumps(np.zeros(2, dtype=dtype), protocol=2))
    with pytest.raises(RefusedError, match="no plain number"):
        read_pickle(path)


def array_of(shape: tuple[int, ...], content: bytes) -> bytes:
    """Return the pickle of a float32 array whose shape and content are what they are said to be."""

    class Forged:
        def __reduce__(self) -> Any:
            function, arguments, state = cast("tuple[Any, ...]", np.zeros(1, "f4").__reduce__())
            return function, arguments, (state[0], shape, state[2], state[3], content)

    return pickle.dumps(Forged())


@pytest.mark.parametrize(
    ("shape", "content"), [((3,), b"1234"), ((1,), b"123"), ((-1, -1), b"1234"), ((1 << 62,), b"")]
)
def test_arrays_of_a_size_that_their_content_has_not_are_errors(
    shape: tuple[int, ...], content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(ValueError):
        read_pickle(written(tmp_path / "w.pkl", array_of(shape, content)))


def test_views_beyond_a_storage_are_errors(tmp_path: Path) -> None:
    function, (storage, *_), *_ = torch.zeros(4).__reduce_ex__(2)  # type: ignore[no-untyped-call]
    for offset, size in ((0, (5,)), (3, (2,)), (-1, (2,))):
        forged = Bait(function, storage, offset, size, (1,), False, collections.OrderedDict())
        with pytest.raises(RuntimeError):
            read_pickle(written(tmp_path / "w.pkl", pickle.dumps(forged)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="f4").reshape(2, 3),
        np.arange(6, dtype="f8").reshape(2, 3).T,
        np.arange(3, dtype=">f4"),
        np.array(7, dtype="i8"),
        np.array([True, False]),
        np.arange(8, dtype="f2")[::2],
    ],
    ids=["plain", "transposed", "big-endian", "scalar", "bool", "strided"],
)
def test_arrays_come_back(array: np.ndarray, protocol: int, tmp_path: Path) -> None:
    (leaf,) = read_pickle(written(tmp_path / "w.pkl", pickle.dumps([array], protocol=protocol)))
    assert isinstance(leaf, Leaf)
    assert leaf.tensor is not None
    assert leaf.tensor.shape == array.shape
    assert leaf.tensor.dtype == torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).dtype
    np.testing.assert_array_equal(leaf.tensor.numpy(), array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).view(2, 3).t(),
        torch.arange(6)[2:4],
        torch.arange(4.0).bfloat16(),
        torch.nn.Parameter(torch.arange(3.0)),
    ],
    ids=["transposed", "part of a storage", "bfloat16", "parameter"],
)
def test_tensors_come_back(tensor: torch.Tensor, protocol: int, tmp_path: Path) -> None:
    state = torch.nn.Linear(1, 1).state_dict()  # an OrderedDict with an attribute
    state["w"] = tensor
    found = read_pickle(written(tmp_path / "w.pkl", pickle.dumps({"model": state, "n": [1, 2.5]}, protocol=protocol)))
    assert found["n"] == [1, 2.5]
    assert list(found["model"]) == ["weight", "bias", "w"]
    back = found["model"]["w"].tensor
    assert back.dtype == tensor.dtype
    assert torch.equal(back, tensor.detach())


def test_bytes_of_python_2_are_read(tmp_path: Path) -> None:
    content = np.array([1.5, -2.0], dtype="<f4").tobytes()
    old = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(content)]) + content + b"tb."
    )
    leaf = read_pickle(written(tmp_path / "w.pkl", old))
    assert leaf.tensor.tolist() == [1.5, -2.0]
