"""Data from a file or a user against a declared type: strict, nothing extra, every error at once."""

import dataclasses
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Required, TypeVar, cast, get_type_hints

from benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


def validated(model: type[T], data: Any, where: str) -> T:
    """Return ``data`` as an instance of ``model``, a pydantic model or a dataclass of the standard library.

    Data is taken as JSON would be: lists may become tuples and whole numbers floats, but ``"1"`` is no number and ``1``
    is no boolean. A field may be ``Annotated`` with a range (``pydantic.Field``); NaN and infinity are in none.

    Raises:
        BenchmarkError: lists every error with its dotted path, and near matches for unknown keys.
    """
    from pydantic import BaseModel, ValidationError

    is_model = issubclass(model, BaseModel)
    try:
        values = _adapter(cast("Any", model)).validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        shape = cast("Any", model)
        names = list(shape.model_fields) if is_model else [one.name for one in dataclasses.fields(shape)]
        raise BenchmarkError("\n".join(_lines(error, data, names, where))) from error
    if is_model:
        return cast("T", values)
    try:
        return model(**values)
    except ValueError as error:  # what a dataclass checks in __post_init__
        raise BenchmarkError(f"{where}: {error}") from error


@cache
def _adapter(model: type) -> "TypeAdapter[Any]":
    from pydantic import BaseModel, TypeAdapter

    return TypeAdapter(model if issubclass(model, BaseModel) else _fields_of(model))


def _fields_of(model: Any) -> Any:
    """Return a typed dictionary with the fields of a dataclass: pydantic can hold that to a strict configuration."""
    from pydantic import ConfigDict
    from typing_extensions import TypedDict  # pydantic accepts no other before Python 3.12

    hints = get_type_hints(model, include_extras=True)
    names = {
        field.name: hints[field.name] if _has_default(field) else Required[hints[field.name]]
        for field in dataclasses.fields(model)
        if field.init
    }
    shape = TypedDict(model.__name__, names, total=False)  # type: ignore[misc]
    shape.__pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)  # type: ignore[attr-defined]
    return shape


def _has_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _lines(error: "ValidationError", data: Any, names: Sequence[str], where: str) -> Iterator[str]:
    for one in error.errors(include_url=False):
        path = ".".join(str(part) for part in one["loc"])
        place = f"{where}: {path}" if path else where
        if one["type"] in _UNKNOWN:
            yield f"{place}: unknown key.{_hint(one['loc'], names)}"
        elif one["type"] == "missing":
            yield f"{place}: missing."
        elif one["type"] == "value_error":  # what a model checks itself; it names the value
            yield f"{place}: {one['msg'].removeprefix('Value error, ')}."
        else:
            yield f"{place}: {one['msg']}, found {_found(data, one)}."


def _hint(location: Sequence[object], names: Sequence[str]) -> str:
    """Return near matches for a key of the outermost level; the names of deeper levels are not at hand."""
    if len(location) > 1:
        return ""
    near = difflib.get_close_matches(str(location[0]), names, n=2, cutoff=0.5)
    return f" Did you mean {' or '.join(near)}?" if near else f" Known: {', '.join(names)}."


def _found(data: Any, error: Mapping[str, Any]) -> str:
    text = repr(error["input"] if error["loc"] else data)
    return text if len(text) <= 80 else f"{text[:77]}..."
