"""The command line: verbs that load when they are called, and one place where errors become exit codes."""

import os
import secrets
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from itertools import pairwise
from keyword import iskeyword
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from benchmark import __version__
from benchmark.arithmetic import LEVELS, VARIABLE, Level, choose
from benchmark.errors import BenchmarkError, Exit, unknown
from benchmark.files import FULL, naming, unreachable
from benchmark.old_spellings import renewed
from benchmark.program import COMPLETE, CONSOLE_SCRIPT, MODULE, program


class Verb(NamedTuple):
    """A verb: the module that exports ``command``, and a line for ``--help``, so that it need not be loaded."""

    module: str
    summary: str


GROUPS: Mapping[str, Mapping[str, str]] = {
    "Make the cells of tables, here or on a cluster": {
        "plan": "Show cells, stages and costs; make nothing.",
        "run": "Make the cells of a table, then print and write it.",
        "status": "Show what is done, running, queued, failed or missing.",
        "logs": "Print or follow the log of a stage.",
        "cancel": "Stop stages that run or wait; they keep their state.",
        "retry": "Submit again what a campaign on a cluster lacks.",
    },
    "Look at the results": {
        "table": "Print a table from the store.",
        "plot": "Draw a table from the store.",
        "pictures": "Draw label maps and predictions beside the ground truth.",
        "report": "Write all of it as one HTML file that works offline.",
    },
    "Judge them": {
        "compare": "Judge the paper's values and orderings.",
        "explain": "Show why two stages differ.",
        "verify": "Compute a report again from the counts inside it.",
    },
    "Share them": {
        "export": "Pack what was run, and its counts, to pass them on.",
        "import": "Take in what somebody else has exported.",
        "runs": "List the runs that were imported.",
    },
    "Data, and what else goes in": {
        "data": "Prepare, verify and show published datasets.",
        "splits": "List and check the class splits of a dataset.",
        "methods": "List installed methods and their settings.",
        "checkpoint": "Say what a file of weights holds, without running it.",
    },
    "This machine and its services": {
        "gc": "List what the store no longer needs, and remove it.",
        "doctor": "Check this installation, and say what it lacks.",
        "measure": "Measure how fast stages are, or where their time goes.",
        "sync": "Send MLflow what it does not have yet.",
        "mlflow-server": "Serve MLflow to a browser and to the jobs of a cluster.",
    },
}
VERBS = {
    name: Verb(f"benchmark.commands.{name.replace('-', '_')}{'_' * iskeyword(name)}", summary)
    for verbs in GROUPS.values()
    for name, summary in verbs.items()
}


class LazyGroup(click.Group):
    """A group that imports the module of a verb only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            raise unknown("command", cmd_name, VERBS)
        command: click.Command = import_module(VERBS[cmd_name].module).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        verbs = [CompletionItem(name, help=verb.summary) for name, verb in VERBS.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, VERBS))  # one for all sections
        for heading, verbs in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in verbs.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine, 1 incomplete, 2 usage, 3 bug, 4 not as claimed, 5 nothing selected, 130 stopped.",
)
@click.version_option(__version__, prog_name=CONSOLE_SCRIPT)
@click.option(
    "--arithmetic",
    type=click.Choice(LEVELS),
    envvar=VARIABLE,
    default="portable",
    show_default=True,
    help="portable: meant to give the same bits on x86-64 processors with AVX2; machine: as fast as this one can.",
)
def group(*, arithmetic: Level) -> None:
    """Reproduce, check and extend the tables of weak-shot semantic segmentation."""
    choose(arithmetic)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; whatever goes wrong is said on stderr."""
    try:
        return _invoke(list(sys.argv[1:] if arguments is None else arguments))
    except BrokenPipeError:  # `... | head`: nobody reads on, and that is fine
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _invoke(arguments: list[str]) -> int:
    try:
        with naming(Path("standard output"), "Free space or send it elsewhere.", FULL):
            result = _asked(arguments)
            if sys.stdout:  # closed by `>&-`
                sys.stdout.flush()
        return result if isinstance(result, int) else Exit.OK
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BenchmarkError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and (said := unreachable(error)):
            click.echo(f"error: {said}", err=True)
            return Exit.USAGE
        reason = traceback.format_exception_only(error)[-1].strip()
        click.echo(f"bug: {reason}; details in {write_crash_log(arguments)}", err=True)
        return Exit.BUG


def _asked(arguments: list[str]) -> object:
    """Complete a command line if a shell asks for it, else do what it says and return what that returns."""
    instruction = os.environ.get(COMPLETE)
    if instruction:
        from benchmark.completion.shells import complete

        complete(group, instruction)
        return None
    with group.make_context(program(), renewed(arguments)) as context:
        return group.invoke(context)


def write_crash_log(arguments: Sequence[str]) -> Path:
    """Write the exception being handled to a file beside the store, or where that fails to the temporary folder."""
    store = _store_of(arguments)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    text = f"{MODULE} {' '.join(arguments)}\nversion {__version__}, Python {sys.version}\n\n"
    for folder in (store.parent, Path(tempfile.gettempdir())):
        path = folder.absolute() / f"crash-{now}-{secrets.token_hex(8)}.log"
        try:
            path.touch(mode=0o600, exist_ok=False)  # a command line may hold tokens
            path.write_text(text + traceback.format_exc(), encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return path
    return Path(os.devnull)


def _store_of(arguments: Sequence[str]) -> Path:
    """Return the store that a command line is about, parsed or not."""
    named = os.environ.get("BENCHMARK_STORE") or Path(".benchmark", "store")
    for argument, following in pairwise((*arguments, "")):
        option, equals, value = argument.partition("=")
        if option == "--store":
            named = value if equals else following
    return Path(named)
