"""The options that say what a command is about, parsed once into a ``Selection``."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from benchmark.comma_lists import split_names
from benchmark.completion import values as offered
from benchmark.errors import BenchmarkError
from benchmark.files import canonical_json
from benchmark.store import Store
from benchmark.table_files import EVERY, is_table_path, names_of_all, table_names, today

if TYPE_CHECKING:
    from benchmark.datasets import DatasetInfo
    from benchmark.plan import Plan
    from benchmark.report.pictures.page_plan import Choice

R = TypeVar("R")

PRESETS = ("paper", "official")
RETRAIN_NETWORKS = ("maskformer", "largefov")
LARGEST_SEED = 2**32 - 1  # what every generator takes
DEFAULT_STORE = Path(".benchmark", "store")

store_option = click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BENCHMARK_STORE",
    default=DEFAULT_STORE,
    show_default=True,
    help="Folder of the results; $BENCHMARK_STORE sets it too.",
)


def split_seeds(context: click.Context, option: click.Parameter, value: str) -> tuple[int, ...]:
    """Return ``(0, 1, 2)`` for ``0,1,2``."""
    names = split_names(context, option, value) or ()
    wrong = [name for name in names if not (name.isascii() and name.isdigit() and int(name) <= LARGEST_SEED)]
    if wrong:
        raise click.BadParameter(
            f"{', '.join(map(repr, wrong))}: a seed is a whole number from 0 to {LARGEST_SEED}, as in 0,1,2.",
            context,
            option,
        )
    return tuple(dict.fromkeys(int(name) for name in names))


def parse_settings(context: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, Any]:
    """Return ``{"simformer.points": 50}`` for ``simformer.points=50``; values are read as YAML, the last one wins."""
    found: dict[str, Any] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or key.count(".") != 1 or not all(part.strip() for part in key.split(".")):
            raise click.BadParameter(f"{value!r} is not section.key=value, as in simformer.points=50.", context, option)
        from benchmark.yaml12 import parse_yaml

        found[key.strip()] = parse_yaml(text, f"--set {value}")
    return found


def parse_choice(context: click.Context, option: click.Parameter, value: str) -> "Choice":
    """Return 6 for ``6`` and ``("a", "b")`` for ``a,b``; an id that is a number needs a comma, as in ``6,``."""
    number = value.strip()
    if not (number.isascii() and number.isdigit()):
        return split_names(context, option, value) or ()
    if int(number) == 0:
        raise click.BadParameter("0 images make no page; write a number from 1 on, or ids.", context, option)
    return int(number)


@dataclass(frozen=True)
class Selection:
    """What a command is about. ``plan()`` turns it into cells and stages.

    Attributes:
        tables: names or paths of table files.
        dataset: name, or path of a dataset YAML.
        profile: name, or path of a profile YAML.
        preset: ``paper`` or ``official``.
        store: where results are.
        seeds: one cell is made for each.
        splits: only these columns; ``None`` is all.
        methods: only these rows; ``None`` is all.
        overrides: dotted setting -> value, from ``--set``; wins over everything.
        data_root: where the dataset lies; ``None`` asks the environment.
        out: where tables and plots are written; ``None`` is a folder beside the store.
    """

    tables: tuple[str, ...]
    dataset: str
    profile: str
    preset: str
    store: Store
    seeds: tuple[int, ...]
    splits: tuple[str, ...] | None
    methods: tuple[str, ...] | None
    overrides: Mapping[str, Any]
    data_root: Path | None
    out: Path | None

    def with_tables(self, names: Iterable[str]) -> "Selection":
        """Return the same selection of other tables; ``all`` and comma lists are spelled out."""
        return dataclasses.replace(self, tables=tables_named(names))

    def plan(self, info: "DatasetInfo | None" = None) -> "Plan":
        """Return the cells and stages of the selection, ``info`` as in ``build_plan``.

        Raises BenchmarkError for any wrong name or value.
        """
        from benchmark.plan import build_plan

        return build_plan(
            self.tables,
            self.dataset,
            self.profile,
            self.seeds,
            splits=self.splits,
            methods=self.methods,
            overrides=(self.overrides,),
            preset=self.preset,
            data_root=self.data_root,
            info=info,
        )

    def results_folder(self) -> Path:
        """Return where tables and plots go: ``--out``, else ``results/<dataset>-<profile>`` beside the store.

        Other settings than the profile's have a folder of their own: no table overwrites that of another experiment.
        """
        if self.out is not None:
            return self.out
        from benchmark.splits import source

        parts = [source(self.dataset).dataset, _stem(self.profile), *([] if self.preset == "paper" else [self.preset])]
        if self.overrides:
            parts.append("set-" + hashlib.sha256(canonical_json(dict(self.overrides)).encode()).hexdigest()[:6])
        return self.store.root.parent / "results" / "-".join(parts)

    def __str__(self) -> str:
        """Return the selection as one would say it, for the message that nothing matched it."""
        parts = [f"table {', '.join(self.tables)}", f"dataset {self.dataset}", f"seeds {_joined(self.seeds)}"]
        if self.splits is not None:
            parts.append(f"splits {_joined(self.splits)}")
        if self.methods is not None:
            parts.append(f"methods {_joined(self.methods)}")
        return ", ".join(parts)


def table_metavar() -> str:
    """Return what ``--help`` shows for a table: every name, or a path."""
    return "|".join((*table_names(), "PATH"))


def tables_named(names: Iterable[str]) -> tuple[str, ...]:
    """Return table names one by one: comma lists taken apart, ``all`` spelled out, repetitions dropped.

    Raises BenchmarkError for names of which nothing remains.
    """
    names = tuple(names)
    flat = (part.strip() for name in names for part in name.split(","))
    spelled = (one for part in flat if part for one in (names_of_all() if part == EVERY else (today(part),)))
    found = tuple(dict.fromkeys(spelled))
    if names and not found:
        known = ", ".join(table_names())
        raise BenchmarkError(f"{', '.join(map(repr, names))} names no table; write {known} or the path of a file.")
    return found


def selection_options(
    table: Literal["option", "none"] = "option",
    *,
    tables: str = "all",
    profile: str = "mini",
    writes: Literal["folder", "file"] = "folder",
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command the shared options and pass it ``selection: Selection`` in their place.

    Args:
        table: ``option`` adds ``--table``; with ``none`` the command takes its tables itself and calls
            ``selection.with_tables``.
        tables, profile: defaults.
        writes: what ``--out`` names; a file may also be named by the folder that it goes into.
    """

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def wrapped(**values: Any) -> R:
            return command(selection=_selection(values), **values)

        shown: Callable[..., R] = wrapped
        for option in reversed(_options(tables if table == "option" else None, profile, writes)):
            shown = option(shown)
        return shown

    return decorate


def _options(tables: str | None, profile: str, writes: str) -> list[Callable[..., Any]]:
    table = click.option(
        "--table",
        "tables",
        multiple=True,
        default=(tables,),
        metavar=table_metavar(),
        shell_complete=offered.several_of(offered.tables, path=True),
        help="Tables to work on; several with commas or by repeating the option; all is every one before it.  "
        f"[default: {tables}]",
    )
    return [
        *([table] if tables else []),
        click.option(
            "--dataset",
            shell_complete=offered.one_of(offered.datasets, path=True),
            help="Name, or path of a dataset YAML.  [default: what the profile is meant for, mostly mini]",
        ),
        click.option(
            "--profile",
            default=profile,
            show_default=True,
            shell_complete=offered.one_of(offered.profiles, path=True),
            help="smoke, mini, paper, or path of a profile YAML.",
        ),
        click.option(
            "--preset",
            type=click.Choice(PRESETS),
            default="paper",
            show_default=True,
            help="paper: what the text says; official: what the released code does.",
        ),
        store_option,
        click.option(
            "--seeds",
            callback=split_seeds,
            default="0",
            show_default=True,
            metavar="0,1,...",
            help="Seeds, one cell for each.",
        ),
        click.option(
            "--splits",
            callback=split_names,
            metavar="S4,...",
            shell_complete=offered.several_of(offered.splits_of("dataset")),
            help="Only these splits, as in S4,S9.",
        ),
        click.option(
            "--methods",
            callback=split_names,
            metavar="NAME,...",
            shell_complete=offered.several_of(offered.methods),
            help="Only these methods, as in simformer,fully_oracle.",
        ),
        click.option(
            "--set",
            "overrides",
            callback=parse_settings,
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Change a setting; repeatable. See `methods`.",
        ),
        click.option(
            "--retrain-net",
            type=click.Choice(RETRAIN_NETWORKS),
            help="Network that learns from pseudo labels; short for --set retrain.network=...",
        ),
        click.option(
            "--from-checkpoint",
            type=click.Path(dir_okay=False),
            help="Trained network that FullyOracle takes over from a file; short for --set oracle.checkpoint=...",
        ),
        click.option("--data-root", type=click.Path(path_type=Path), help="Folder in which the dataset lies."),
        click.option(
            "--out",
            type=click.Path(file_okay=writes == "file", path_type=Path),
            help=f"{'File, or folder for it' if writes == 'file' else 'Folder for tables and plots'}.  "
            "[default: results/DATASET-PROFILE beside the store]",
        ),
    ]


def _selection(values: dict[str, Any]) -> Selection:
    """Take the shared options out of ``values``."""
    overrides = _with_short("--retrain-net", "retrain.network", values.pop("retrain_net"), values.pop("overrides"))
    overrides = _with_short("--from-checkpoint", "oracle.checkpoint", values.pop("from_checkpoint"), overrides)
    tables = tables_named(values.pop("tables", ()))
    asked = values.pop("dataset")
    return Selection(
        tables=tables,
        dataset=_told_by(tables, asked) or asked or _meant_for(values["profile"]),
        profile=values.pop("profile"),
        preset=values.pop("preset"),
        store=Store(values.pop("store")),
        seeds=values.pop("seeds"),
        splits=values.pop("splits"),
        methods=values.pop("methods"),
        overrides=overrides,
        data_root=values.pop("data_root"),
        out=values.pop("out"),
    )


def _told_by(tables: Iterable[str], asked: str | None) -> str:
    """Return the dataset that table files of the user's own name; empty where none does, or ``--dataset`` may differ.

    Raises BenchmarkError for two that contradict each other, or one without printed values that contradicts
    ``--dataset``: printed values of another dataset stand beside ours, and are said not to be comparable.
    """
    from benchmark.tables import load_table

    own = {name: load_table(name) for name in tables if is_table_path(name)}
    named = {name: table.dataset for name, table in own.items() if table.dataset}
    if len(set(named.values())) > 1:
        said = ", ".join(f"{name}: {dataset}" for name, dataset in named.items())
        raise BenchmarkError(f"table files of several datasets ({said}); make them one by one.")
    for name, dataset in named.items():
        if asked and asked != dataset and not own[name].paper:
            raise BenchmarkError(
                f"{name} is about dataset {dataset}, and --dataset says {asked}. Leave out --dataset, or mend the file."
            )
    return "" if asked else next(iter(named.values()), "")


def _meant_for(profile: str) -> str:
    from benchmark.config import dataset_of

    return dataset_of(profile)


def _with_short(option: str, name: str, value: str | None, overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the overrides with what an option says of setting ``name``.

    Raises BenchmarkError where ``--set`` says otherwise.
    """
    if value is None:
        return overrides
    if overrides.get(name, value) != value:
        raise BenchmarkError(f"{option} {value} contradicts --set {name}={overrides[name]}; give one of them.")
    return {**overrides, name: value}


def _stem(name: str) -> str:
    return Path(name).stem


def _joined(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
