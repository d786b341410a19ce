"""Settings as parameters of stages: which of their fields can change a result, is said on the field.

Every parameter of a stage is in its key. A plain field of a settings dataclass is a parameter, whatever its name::

    @dataclass(frozen=True)
    class MySettings:
        depth: int = 3
        workers: int = not_identity(0)  # threads that read images
        smooth: bool = identity_if_changed(False)  # came with version 2

``Stage(params={"mine": to_json(settings)}, ...)`` then has ``depth`` in its key alone, and the stage function gets its
settings back by ``from_json(MySettings, context.params["mine"])``. Leave a field plain when in doubt: what is in a key
for nothing costs a computation, what is missing hands out the result of other settings.
"""

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any, Literal, TypeVar, cast

from benchmark.validation import validated

S = TypeVar("S")
T = TypeVar("T")
_Identity = Literal["always", "never", "if changed"]
_IDENTITY = "identity"  # in the metadata of a field


def not_identity(default: T) -> T:
    """Return a field that can change no result: threads, estimates of cost, what is shown meanwhile.

    It is no parameter of a stage; a function that needs it is given it in ``Stage.hints``. Settings that differ in it
    alone are equal, as their results are.
    """
    return field(default=default, compare=False, metadata=_marked("never"))


def identity_if_changed(default: T) -> T:
    """Return a field that came after there were results, and whose default does what was done before.

    At its default it is no parameter, so that those results keep their keys. Never change that default.
    """
    return field(default=default, metadata=_marked("if changed"))


def to_json(settings: object) -> dict[str, Any]:
    """Return a settings instance as parameters of a stage: JSON values of all fields that can change its result."""
    return {
        one.name: _listed(value)
        for one in fields(cast("Any", settings))
        if _is_identity(one.metadata.get(_IDENTITY, "always"), value := getattr(settings, one.name), one.default)
    }


def from_json(cls: type[S], params: Mapping[str, Any]) -> S:
    """Return the settings instance that ``to_json`` wrote; what is no parameter has its default.

    Raises:
        BenchmarkError: a parameter that ``cls`` does not have, or whose value it does not take.
    """
    return validated(cls, params, cls.__name__)


def _marked(identity: _Identity) -> Mapping[str, _Identity]:
    return {_IDENTITY: identity}


def _is_identity(identity: _Identity, value: object, default: object) -> bool:
    return identity == "always" or (identity == "if changed" and value != default)


def _listed(value: Any) -> Any:
    """Return a value whose tuples, at any depth, are lists, as JSON gives them back."""
    return [_listed(one) for one in value] if isinstance(value, list | tuple) else value
