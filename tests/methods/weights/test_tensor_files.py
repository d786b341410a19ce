"""Files of weights by content: each format comes back, and damage is said with the file's name."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmark.errors import BenchmarkError
from methods.weights.tensor_files import read_tensors

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(400)}
ARRAYS = {name: tensor.numpy() for name, tensor in STATE.items()}
TRAINER = {"optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}, "scheduler": {"last_epoch": 3}, "iteration": 3}


def write_pickle(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps(content))


def write_legacy(path: Path, content: Any) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_torch(path: Path, content: Any) -> None:
    torch.save(content, path)


WRITERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "zoo": (
        "pickle",
        lambda path: write_pickle(path, {"model": ARRAYS, "__author__": "zoo", "matching_heuristics": True}),
    ),
    "pickled tensors": ("pickle", lambda path: write_pickle(path, {"model": STATE})),
    "bare arrays": ("pickle", lambda path: write_pickle(path, ARRAYS)),
    "trainer": ("torch", lambda path: write_torch(path, {"model": STATE, **TRAINER})),
    "state dict": ("torch", lambda path: write_torch(path, STATE)),
    "legacy": ("torch", lambda path: write_legacy(path, {"state_dict": STATE})),
    "safetensors": ("safetensors", lambda path: save_file(STATE, path)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_comes_back_whatever_its_name(name: str, tmp_path: Path) -> None:
    kind, write = WRITERS[name]
    write(tmp_path / "weights.bin")
    found = read_tensors(tmp_path / "weights.bin")
    assert (found.format, found.author) == (kind, "zoo" if name == "zoo" else "")
    assert found.tensors.keys() == STATE.keys()
    assert all(torch.equal(found.tensors[name], value) for name, value in STATE.items())


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kept", [0, 1, 9, 60, 0.5, 0.99])
def test_a_truncated_file_is_named(name: str, kept: float, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    WRITERS[name][1](path)
    content = path.read_bytes()[: int(kept * path.stat().st_size) if isinstance(kept, float) else kept]
    path.write_bytes(content)
    with pytest.raises(
        BenchmarkError, match=rf"{path} cannot be read as weights.*\({len(content)} bytes, .*Get the file"
    ):
        read_tensors(path)


def test_code_in_a_pickle_is_refused_by_name(tmp_path: Path) -> None:
    class Bait:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    path = tmp_path / "weights"
    for write in (write_pickle, write_torch, write_legacy):
        write(path, {"model": {"w": Bait()}, **TRAINER})
        with pytest.raises(
            BenchmarkError, match=rf"{path} is refused: it asks for posix\.system.*Nothing of it was run"
        ):
            read_tensors(path)
    assert not (tmp_path / "canary").exists()


def test_a_refusal_never_advises_to_load_without_it(tmp_path: Path) -> None:
    torch.save({"model": STATE, "iteration": np.float64(1)}, tmp_path / "weights")
    with pytest.raises(BenchmarkError, match=r"numpy\._core\.multiarray\.scalar") as caught:
        read_tensors(tmp_path / "weights")
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds no named tensors, but a list"),
        ({}, "holds no named tensors"),
        ({"model": {"a": torch.ones(1), "b": "text"}}, "'b' is a str"),
        ({3: torch.ones(1)}, "3 is a Tensor, where a named tensor"),
        ({"model": [1]}, "'model' is a list"),
    ],
)
def test_contents_without_named_tensors(content: Any, message: str, tmp_path: Path) -> None:
    for write in (write_pickle, write_torch):
        write(tmp_path / "weights", content)
        with pytest.raises(BenchmarkError, match=message):
            read_tensors(tmp_path / "weights")


def test_places_without_weights(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="there is no such file"):
        read_tensors(tmp_path / "absent")
    with pytest.raises(BenchmarkError, match="IsADirectoryError"):
        read_tensors(tmp_path)
    (tmp_path / "text").write_text("<html>not found</html>")
    with pytest.raises(BenchmarkError, match=r"none of safetensors, torch\.save and pickle"):
        read_tensors(tmp_path / "text")


@pytest.mark.parametrize("name", ["a" * 501, "a\nb", "a\x1b[2J", "a\u202eb"])
def test_names_of_tensors_are_short_visible_lines(tmp_path: Path, name: str) -> None:
    path = tmp_path / "weights.pth"
    torch.save({name: torch.zeros(1)}, path)
    with pytest.raises(BenchmarkError, match="is called") as caught:
        read_tensors(path)
    assert str(caught.value).isprintable()
