"""Profiles and settings: files and options become validated, frozen dataclasses."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmark import registry
from benchmark.errors import BenchmarkError, unknown
from benchmark.paths import is_path
from benchmark.registry import Method
from benchmark.validation import validated
from benchmark.yaml12 import load_mapping

Sections = Mapping[str, Mapping[str, Any]]
FOLDER = Path(__file__).parent / "profiles"
DEFAULT_DATASET = "mini"


@dataclass(frozen=True)
class Profile:
    """Sizes of an experiment: section -> setting -> value, with exceptions for single datasets.

    ``dataset`` is the one that it is meant for: what commands take unless they are told of another.
    """

    name: str
    path: Path
    description: str = ""
    dataset: str = DEFAULT_DATASET
    sections: Sections = field(default_factory=dict)
    datasets: Mapping[str, Sections] = field(default_factory=dict)

    def settings(self, dataset: str) -> Iterator[tuple[str, str, Any, str]]:
        """Yield (section, key, value, place in the file); exceptions for ``dataset`` come last, so they win."""
        for prefix, sections in (("", self.sections), (f"datasets.{dataset}.", self.datasets.get(dataset, {}))):
            for section, values in sections.items():
                for key, value in values.items():
                    yield section, key, value, f"{self.path}: {prefix}{section}.{key}"


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the software."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_profile(name_or_path: str) -> Profile:
    """Return a profile by name or path.

    Raises:
        BenchmarkError: unknown name; a section or key that no installed method declares; all such errors at once.
    """
    path = _path(name_or_path)
    if not path.is_file():
        if is_path(name_or_path):
            raise BenchmarkError(f"there is no profile file {path}.")
        raise unknown("profile", name_or_path, profile_names(), "--profile (a path ends in .yaml)")
    data = load_mapping(path, "a profile maps sections to settings")
    description, datasets = data.pop("description", ""), data.pop("datasets", {})
    dataset = data.pop("dataset", DEFAULT_DATASET)
    _check(path, {"description": description, "dataset": dataset}, data, datasets)
    return Profile(path.stem, path, description, dataset, data, datasets)


def dataset_of(profile: str) -> str:
    """Return the dataset that a profile is meant for; of one that cannot be loaded, what most are meant for."""
    path = _path(profile)
    if not path.is_file():
        return DEFAULT_DATASET
    return str(load_mapping(path, "a profile maps sections to settings").get("dataset", DEFAULT_DATASET))


def _path(name: str) -> Path:
    return Path(name) if is_path(name) else FOLDER / f"{name}.yaml"


def _check(path: Path, texts: Mapping[str, Any], sections: dict[str, Any], datasets: Any) -> None:
    wrong = [name for name, text in texts.items() if not isinstance(text, str)]
    errors = [f"{path}: {name}: expected text, found {texts[name]!r}." for name in wrong]
    if not isinstance(datasets, dict) or not all(isinstance(value, dict) for value in datasets.values()):
        errors.append(f"{path}: datasets: expected dataset -> section -> settings, found {datasets!r}.")
        datasets = {}
    known = _declared(registry.methods().values())
    errors += _wrong_names(sections, known, str(path))
    for dataset, exceptions in datasets.items():
        errors += _wrong_names(exceptions, known, f"{path}: datasets.{dataset}")
    if errors:
        raise BenchmarkError("\n".join(errors))


def _wrong_names(sections: Mapping[Any, Any], known: Mapping[str, Collection[str]], where: str) -> Iterator[str]:
    for section, values in sections.items():
        if section not in known:
            yield str(unknown("section", section, known, where))
        elif not isinstance(values, dict):
            yield f"{where}: {section}: expected settings, found {values!r}."
        else:
            yield from (
                str(unknown("setting", f"{section}.{key}", _dotted(section, known), where))
                for key in values
                if key not in known[section]
            )


def _declared(declaring: Iterable[Method]) -> dict[str, set[str]]:
    """Return section -> names of its settings, over several methods."""
    known: dict[str, set[str]] = {}
    for method in declaring:
        for section, declared in method.settings.items():
            known.setdefault(section, set()).update(one.name for one in fields(declared))
    return known


def _dotted(section: str, known: Mapping[str, Collection[str]]) -> list[str]:
    return [f"{section}.{name}" for name in known[section]]


def setting_names(declaring: Iterable[Method]) -> list[str]:
    """Return the dotted names of all settings that the methods declare."""
    known = _declared(declaring)
    return sorted(name for section in known for name in _dotted(section, known))


def resolve(
    method: Method,
    profile: Profile,
    dataset: str,
    split: str,
    preset: str,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return section -> instance of the dataclass that ``method`` declares for it.

    Later wins: defaults of the dataclass, preset, profile, its exceptions for the dataset, ``overrides`` in order:
    who says so -> dotted setting -> value. What the method does not declare is ignored here; that somebody declares it
    has been checked where it was written.

    Raises:
        BenchmarkError: lists every wrong value with its dotted path and where it was set.
    """
    found: dict[str, dict[str, Any]] = {section: {} for section in method.settings}
    origin: dict[str, str] = {}
    preset_values = method.preset(preset, dataset, split)
    declared = setting_names([method])
    for key in preset_values:
        if key not in declared:
            raise unknown("setting", key, declared, f"preset {preset!r} of method {method.name!r}")
    settings = [
        *((*_parts(key), value, f"preset {preset} of {method.name}") for key, value in preset_values.items()),
        *profile.settings(dataset),
        *((*_parts(key), value, who) for who, values in (overrides or {}).items() for key, value in values.items()),
    ]
    for section, key, value, where in settings:
        if f"{section}.{key}" in declared:
            found[section][key] = value
            origin[f"{section}.{key}"] = where
    return _instances(method, found, origin)


def _parts(dotted: str) -> tuple[str, str]:
    section, _, key = dotted.partition(".")
    return section, key


def _instances(method: Method, values: dict[str, dict[str, Any]], origin: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    errors: list[str] = []
    for section, declared in method.settings.items():
        try:
            found[section] = validated(declared, values[section], section)
        except BenchmarkError as error:
            errors += [_with_origin(line, section, origin) for line in str(error).splitlines()]
    if errors:
        raise BenchmarkError("\n".join(errors))
    return found


def _with_origin(line: str, section: str, origin: Mapping[str, str]) -> str:
    """Turn ``training: lr: Input should be ...`` into ``training.lr (profile.yaml): ...``."""
    key, colon, rest = line.removeprefix(f"{section}: ").partition(": ")
    where = origin.get(f"{section}.{key.split('.')[0]}", "")
    return f"{section}.{key}{f' ({where})' if where else ''}{colon}{rest}"
