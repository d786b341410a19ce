"""The settings of all methods survive the way into the parameters of a stage and back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from benchmark.files import canonical_json
from benchmark.registry import methods
from benchmark.settings import from_json, to_json
from methods.wsss.settings import part

CLASSES = sorted({cls for method in methods().values() for cls in method.settings.values()}, key=lambda c: c.__name__)
PARTS = [(cls, base) for cls in CLASSES for base in cls.__mro__[1:] if is_dataclass(base)]
BOUNDS = {"ge": "min_value", "gt": "min_value", "le": "max_value", "lt": "max_value", "min_length": "min_size"}
EXCLUDED = {"gt": "exclude_min", "lt": "exclude_max"}

Strategy = st.SearchStrategy[Any]


def instances(cls: type) -> st.SearchStrategy[Any]:
    """Draw instances of a settings class whose fields have any value of their type, ranges included."""
    hints = get_type_hints(cls, include_extras=True)
    return st.builds(cls, **{field.name: values(hints[field.name]) for field in fields(cast("Any", cls))})


def values(hint: Any, **bounds: Any) -> Strategy:
    """Draw values of a type hint, within the bounds of the annotations around it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return values(arguments[0], **bounds, **bounds_of(arguments[1:]))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {Union, UnionType}:
        return st.one_of([values(one) for one in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=4, **bounds).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False, **bounds)
    if hint is int:
        return st.integers(**bounds)
    return st.from_type(hint)


def bounds_of(annotations: Iterable[FieldInfo]) -> Mapping[str, Any]:
    """Return the arguments of a strategy that pydantic's ranges amount to."""
    rules = [rule for annotation in annotations for rule in annotation.metadata]
    found = {BOUNDS[name]: getattr(rule, name) for rule in rules for name in BOUNDS if hasattr(rule, name)}
    excluded = {EXCLUDED[name]: True for rule in rules for name in EXCLUDED if hasattr(rule, name)}
    return found | excluded


def carried(params: Mapping[str, Any]) -> Any:
    """Return parameters as a worker reads them."""
    return json.loads(canonical_json(params))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@examples(deadline=None, max_examples=50)
@given(data=st.data())
def test_parameters_of_a_stage_become_the_settings_again(cls: type, data: st.DataObject) -> None:
    settings = data.draw(instances(cls))
    again: Any = from_json(cls, carried(to_json(settings)))
    assert again == settings
    assert to_json(again) == to_json(settings)


@pytest.mark.parametrize(("cls", "base"), PARTS, ids=lambda cls: cls.__name__)
@examples(deadline=None, max_examples=10)
@given(data=st.data())
def test_a_part_of_the_settings_becomes_that_part_again(cls: type, base: type, data: st.DataObject) -> None:
    settings = data.draw(instances(cls))
    again: Any = from_json(base, carried(part(base, settings)))
    assert all(getattr(again, field.name) == getattr(settings, field.name) for field in fields(cast("Any", base)))


def test_there_are_settings_and_parts_to_draw() -> None:
    assert {"TrainingSettings", "RibSettings", "OracleSettings"} <= {cls.__name__ for cls in CLASSES}
    assert {"WalkPart", "FinetunePart"} <= {base.__name__ for _, base in PARTS}
