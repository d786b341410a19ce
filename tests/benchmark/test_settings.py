"""What of settings is in a key is said on their fields."""

import json
from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any, Literal

import pytest

from benchmark.errors import BenchmarkError
from benchmark.files import canonical_json
from benchmark.settings import from_json, identity_if_changed, not_identity, to_json
from benchmark.stage import Stage
from benchmark.validation import validated


@dataclass(frozen=True)
class Stranger:
    """Of another package, with names that mean something else here."""

    workers: int = 0  # honey bees
    seconds_per_image: float = 1.0  # of exposure
    snapshots: int = 1
    pairs: tuple[tuple[int, float], ...] = ((1, 2.0),)


@dataclass(frozen=True)
class Marked:
    """One field of each sort."""

    depth: int = 3
    threads: int = not_identity(0)
    smooth: tuple[int, ...] = identity_if_changed((1, 2))


@dataclass(frozen=True)
class Heir(Marked):
    """Takes its fields from another class, one of them by another default."""

    more: Literal["a", "b"] = "a"
    threads: int = not_identity(4)


def key(settings: object) -> str:
    return Stage("train", "a training", "somewhere:train", 1, {"own": to_json(settings)}).key


@pytest.mark.parametrize(
    "changes", [{"workers": 1}, {"seconds_per_image": 2.0}, {"snapshots": 2}, {"pairs": ((1, 3.0),)}]
)
def test_no_name_keeps_a_field_out_of_the_key(changes: dict[str, Any]) -> None:
    assert key(replace(Stranger(), **changes)) != key(Stranger())
    assert set(to_json(Stranger())) == {"workers", "seconds_per_image", "snapshots", "pairs"}


@pytest.mark.parametrize("settings", [Marked(), Heir()])
def test_a_field_says_whether_it_is_in_the_key(settings: Marked) -> None:
    assert key(replace(settings, threads=9)) == key(settings)
    assert key(replace(settings, depth=4)) != key(settings)
    assert "smooth" not in to_json(settings)
    assert to_json(replace(settings, smooth=(1,)))["smooth"] == [1]


def test_settings_are_equal_where_their_results_are() -> None:
    assert Marked(threads=9) == Marked()
    assert hash(Marked(threads=9)) == hash(Marked())
    assert Marked(smooth=(1,)) != Marked()


def test_marked_fields_are_fields_like_others() -> None:
    assert (Marked().threads, Heir().threads, Marked(threads=2).threads) == (0, 4, 2)
    assert validated(Marked, {"threads": 5, "smooth": [7]}, "marked").threads == 5
    with pytest.raises(BenchmarkError, match="threads"):
        validated(Marked, {"threads": "5"}, "marked")
    with pytest.raises(FrozenInstanceError):
        Marked().threads = 1  # type: ignore[misc]


def test_parameters_become_settings_again() -> None:
    settings = Stranger(workers=2, pairs=((3, 4.0), (5, 6.0)))
    params = to_json(settings)
    assert params["pairs"] == [[3, 4.0], [5, 6.0]]
    assert from_json(Stranger, json.loads(canonical_json(params))) == settings
    assert from_json(Heir, {}) == Heir()


@pytest.mark.parametrize(
    ("params", "message"), [({"depht": 1}, "Marked: depht: unknown key. .*depth"), ({"depth": "1"}, "Marked: depth")]
)
def test_parameters_that_are_none_of_the_settings_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        from_json(Marked, params)
