import json
import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from benchmark.config import load_profile, resolve
from benchmark.errors import BenchmarkError
from benchmark.validation import validated
from benchmark.yaml12 import load_yaml, parse_yaml
from tests.benchmark import toy


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.install(monkeypatch)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2.5E3", 2500.0),
        ("+.5", 0.5),
        ("12", 12),
        ("-3", -3),
        ("0x1F", 31),
        ("1:30:00", "1:30:00"),
        ("01:30:00", "01:30:00"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        ("-.inf", -math.inf),
        ("'1'", "1"),
        ("<<", "<<"),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = parse_yaml(f"key: {text}", "file")["key"]
    assert found == value
    assert type(found) is type(value)


NUMBERS = st.integers(-(10**60), 10**60) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="ascii")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_json_is_yaml(value: Any) -> None:
    assert parse_yaml(json.dumps(value), "file") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "file.yaml:4: not valid YAML: key 'c' appears twice"),
        ("a: [1, 2\nb: 3\n", "file.yaml:2"),
        ("a: !!python/object/apply:os.getcwd []\n", "file.yaml:1"),
        ("? [1]\n: 2\n", "file.yaml:1"),
        ("- &a [*a]\n- *b\n", "undefined alias"),
        ("a: 1\n---\nb: 2\n", "file.yaml"),
        ("a: '\x00'\n", "file.yaml"),
    ],
)
def test_broken_files_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(BenchmarkError) as error:
        load_yaml(path)
    assert message in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\n")
    for name, reason in (("none.yaml", "No such file"), ("", "Is a directory"), ("latin.yaml", "not UTF-8")):
        with pytest.raises(BenchmarkError, match=reason):
            load_yaml(tmp_path / name)


@dataclass(frozen=True)
class Sample:
    size: int
    rate: float = 0.1
    pair: tuple[int, int] = (1, 2)
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    copy: str = "shadows a method of pydantic models"
    many: list[int] = field(default_factory=list)
    share: Annotated[float, Field(ge=0, le=1)] = 0.5

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size: must not be negative")


def test_values_are_taken_as_json_would_be() -> None:
    sample = validated(Sample, {"size": 3, "rate": 1, "pair": [3, 4], "copy": "x"}, "here")
    assert sample == Sample(3, 1.0, (3, 4), copy="x")
    assert isinstance(sample.rate, float)


def test_all_errors_come_at_once_with_their_paths() -> None:
    wrong = {"rate": "0.1", "pair": [1, "2"], "kind": "c", "flag": 1, "szie": 3}
    with pytest.raises(BenchmarkError) as error:
        validated(Sample, wrong, "here")
    lines = str(error.value).splitlines()
    for start in ("size: missing", "rate: ", "pair.1: ", "kind: ", "flag: ", "szie: unknown key. Did you mean size?"):
        assert any(line.startswith(f"here: {start}") for line in lines), start
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"share": 2}, "here: share: Input should be less than or equal to 1, found 2"),
        ({"rate": float("nan")}, "here: rate: Input should be a finite number, found nan"),
        ({"rate": float("-inf")}, "here: rate: Input should be a finite number, found -inf"),
    ],
)
def test_numbers_out_of_range_are_refused(value: dict[str, float], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        validated(Sample, {"size": 1, **value}, "here")


def test_what_a_dataclass_checks_itself_is_a_users_error_too() -> None:
    with pytest.raises(BenchmarkError, match="here: size: must not be negative"):
        validated(Sample, {"size": -1}, "here")


def settings(profile: str, *overrides: dict[str, Any], preset: str = "paper") -> toy.ToySettings:
    sources = {f"source {number}": values for number, values in enumerate(overrides)}
    found: toy.ToySettings = resolve(toy.Toy(), load_profile(profile), "mini", "S1", preset, sources)["toy"]
    return found


def test_later_sources_win(tmp_path: Path) -> None:
    empty = toy.profile(tmp_path)
    assert settings(empty) == toy.ToySettings()
    assert settings(empty, preset="official").rate == 0.25
    exceptions = "{mini: {toy: {steps: 8}}, ade20k: {toy: {steps: 9}}}"
    path = toy.profile(tmp_path, f"toy: {{rate: 1, steps: 7}}\ndatasets: {exceptions}")
    found = settings(path, {"toy.sizes": [1]}, {"toy.sizes": [4, 5], "other.depth": 2}, preset="official")
    assert (found.rate, found.steps, found.sizes) == (1.0, 8, (4, 5))


def test_wrong_values_are_named_with_the_place_that_set_them(tmp_path: Path) -> None:
    path = toy.profile(tmp_path, "toy: {steps: many}\ndatasets: {mini: {toy: {rate: fast}}}")
    with pytest.raises(BenchmarkError) as error:
        settings(path, {"toy.mode": "odd"})
    text = str(error.value)
    assert f"toy.steps ({path}: toy.steps): " in text
    assert f"toy.rate ({path}: datasets.mini.toy.rate): " in text
    assert "toy.mode (source 0): " in text


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "toi: {steps: 1}\ntoy: {stesp: 1}\nother: 3\n",
            ["'toi'", "Did you mean 'toy'", "'toy.stesp'", "'toy.steps'", "other: expected settings, found 3"],
        ),
        ("datasets: {mini: {toy: {pasue: 1}}}\ndescription: [1]\n", ["'toy.pause'", "datasets.mini", "description"]),
        ("datasets: 3\n", ["datasets: expected"]),
        ("- a\n", ["a profile maps sections to settings; found ['a']"]),
        ("# nothing\n", ["a profile maps sections to settings; found an empty file"]),
    ],
)
def test_wrong_names_in_a_profile_come_at_once(tmp_path: Path, text: str, messages: list[str]) -> None:
    with pytest.raises(BenchmarkError) as error:
        load_profile(toy.profile(tmp_path, text))
    for message in messages:
        assert message in str(error.value)


def test_unknown_profiles() -> None:
    with pytest.raises(BenchmarkError, match="Did you mean 'mini'"):
        load_profile("mimi")
    with pytest.raises(BenchmarkError, match="no profile file"):
        load_profile("elsewhere/own.yaml")


def test_a_preset_with_an_unknown_setting_is_the_methods_fault(tmp_path: Path) -> None:
    class Wrong(toy.Toy):
        def preset(self, name: str, dataset: str, split: str) -> dict[str, Any]:
            return {"toy.rates": 1}

    with pytest.raises(BenchmarkError, match=r"'toy.rates' in preset 'paper' of method 'toy'"):
        resolve(Wrong(), load_profile(toy.profile(tmp_path)), "mini", "S1", "paper")


@pytest.mark.parametrize("name", ["smoke", "mini", "paper"])
def test_own_profiles_fit_the_methods(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    profile = load_profile(name)
    assert profile.description
    assert profile.sections


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefgh")),
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: " + "[" * 100 + "]" * 100,
        "a: " + "[" * 5000 + "]" * 5000,
        "a: " + "9" * 101,
        "a: 0x" + "f" * 5000,
        "- x\n" * 100_001,
    ],
)
def test_what_is_small_and_stands_for_much_is_refused(text: str) -> None:
    with pytest.raises(BenchmarkError, match="not valid YAML"):
        parse_yaml(text, "file")


def test_aliases_are_fine() -> None:
    assert parse_yaml("a: &a [1]\nb: *a\nc: [*a, *a]", "file") == {"a": [1], "b": [1], "c": [[1], [1]]}
