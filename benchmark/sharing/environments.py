"""Why a stage has two results: how the environments differ that made them, as far as they were written down."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.files import read_json
from benchmark.stage import closure

if TYPE_CHECKING:
    from benchmark.stage import Stage
    from benchmark.store import Store

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pillow")  # that compute
ARITHMETIC = {
    "CPU": "cpu",
    "instruction set": "capability",
    "oneDNN": "onednn",
    "MKL": "mkl",
    "BLAS": "blas",
    "arithmetic": "level",
}  # what to call the entries of provenance
EXPECTED = ("CPU", "torch", "device", "threads")  # said to be unknown where they are; others are passed over
LONGEST = 80  # characters of a fact: an archive from anywhere may say anything

Facts = Mapping[str, str]  # name -> value, in the order of being told; what was not written down is not there


Environments = tuple[Facts, Facts]  # of one stage, in this store and in another


def likely_reason(stage: "Stage", here: "Store", there: "Store") -> str:
    """Return in words why the results of a stage may differ between two stores.

    Compared are the environments of the stage and of all that it rests on, where both stores know them.
    """
    pairs = [(facts(_provenance(one, here)), facts(_provenance(one, there))) for one in closure([stage])]
    recorded = [pair for pair in pairs if all(pair)]
    compared = recorded or pairs[-1:]
    differing = dict(_differing(compared))
    unknown = [text for name, text in _unknown(compared) if name not in differing]
    if differing:
        return f"made differently, which is the likely reason: {'; '.join([*differing.values(), *unknown])}"
    if unknown:
        return f"nothing known on both sides differs, but another CPU alone would explain it: {'; '.join(unknown)}"
    if len(recorded) < len(pairs):
        return "the recorded environments are the same, but those of the stages before are not recorded on both sides"
    return (
        "the recorded environments are the same, so computing again gives other numbers even there (as some GPU "
        "kernels do), or one of the results was damaged or changed"
    )


def facts(provenance: Mapping[str, Any]) -> Facts:
    """Return what provenance says of an environment, as far as that can change a number."""
    arithmetic, packages = (_mapping(provenance.get(name)) for name in ("arithmetic", "packages"))
    found = {
        **{name: arithmetic.get(entry) for name, entry in ARITHMETIC.items()},
        **{name: packages.get(name) for name in PACKAGES},
        "device": provenance.get("device"),
        "threads": provenance.get("threads"),
        "Python": provenance.get("python"),
        "platform": provenance.get("platform"),
        "code": _code(provenance),
    }
    return {name: _line(value) for name, value in found.items() if value is not None}


def _differing(pairs: Sequence[Environments]) -> Iterator[tuple[str, str]]:
    """Yield name and words of each fact that both sides know and that is not the same."""
    for name in _names(pairs):
        found = [pair for pair in pairs if all(name in side for side in pair)]
        unequal = [(here, there) for here, there in found if here[name] != there[name]]
        if unequal:
            yield name, _sides(name, unequal)


def _unknown(pairs: Sequence[Environments]) -> Iterator[tuple[str, str]]:
    """Yield name and words of each fact that should be known and is not, on one side or both."""
    for name in EXPECTED:
        lacking = [pair for pair in pairs if any(name not in side for side in pair)]
        if lacking:
            yield name, _sides(name, lacking)


def _sides(name: str, pairs: Sequence[Environments]) -> str:
    """Return ``CPU: A here, B and C there``."""
    here, there = (
        " and ".join(dict.fromkeys(side.get(name, "unknown") for side in sides)) for sides in zip(*pairs, strict=True)
    )
    return f"{name}: {here} here, {there} there"


def _names(pairs: Iterable[Environments]) -> Iterable[str]:
    return dict.fromkeys(name for pair in pairs for side in pair for name in side)


def _provenance(stage: "Stage", store: "Store") -> Mapping[str, Any]:
    result = read_json(store.folder(stage.key) / "result.json")
    return _mapping(_mapping(result).get("provenance"))


def _code(provenance: Mapping[str, Any]) -> str | None:
    commit = provenance.get("git_commit")
    return f"commit {str(commit)[:12]}{' and changes' if provenance.get('git_dirty') else ''}" if commit else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _line(value: Any) -> str:
    """Return a fact as a short line, ``none`` for an empty one: what is known not to be there."""
    return " ".join(str(value).split())[:LONGEST] or "none"
