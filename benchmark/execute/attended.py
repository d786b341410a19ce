"""Making the stages of a run while its process stays: with a display, MLflow's mirror, and a ``Launcher``."""

from dataclasses import dataclass

import click

from benchmark.execute.display import display
from benchmark.execute.executor import Launcher
from benchmark.execute.executors import RunRequest
from benchmark.execute.inline import Inline
from benchmark.execute.session import Session, make_stages


@dataclass(frozen=True)
class Attended:
    """The configured executor of a plugin that stays until all is made.

    Attributes:
        launcher: where stages are made; a single cell that is to be tried is made in this process.
        again: the options of ``run`` that choose the same again.
    """

    launcher: Launcher
    again: tuple[str, ...]

    @property
    def workers(self) -> int:
        return self.launcher.workers

    def preview(self, request: RunRequest) -> str:  # noqa: ARG002 - of the protocol
        return ""

    def make(self, request: RunRequest) -> Session:
        from benchmark.tracking import mirrored

        launcher = Inline() if request.first else self.launcher
        plan, store = request.plan, request.store
        stages = plan.pending(store)
        store.check_writable()  # before the mirror and the display start
        if launcher.remark:
            click.echo(f"warning: {launcher.remark}", err=True)
        shown = display(stages, launcher.workers, quiet=request.quiet)
        try:
            with mirrored(store, switched_on=request.mlflow) as mirrors:
                return make_stages(plan, stages, store, launcher, [shown, *mirrors])
        finally:
            shown.close()
