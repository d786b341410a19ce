"""One worker process on this machine, as seen from the process that gives it work."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, cast

from benchmark.execute.messages import Event, Job, decode
from benchmark.paths import PACKAGES

FAREWELL = 5.0  # seconds that a worker without work has to end


class WorkerProcess:
    """A process in a session of its own: Ctrl-C in the terminal must not reach it.

    Args:
        environment: all of its variables.
        tell: is given each event, and ``None`` when there will be no more, from a thread.
    """

    def __init__(self, environment: Mapping[str, str], tell: Callable[[Event | None], None]) -> None:
        self.dismissed = False
        self._buried = False
        self._tell = tell
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmark.execute.worker"],  # not what happens to lie in the current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={
                **environment,
                "PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGES), environment.get("PYTHONPATH")))),
            },
            encoding="utf-8",
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def _stdin(self) -> IO[str]:
        return cast("IO[str]", self._process.stdin)

    def give(self, job: Job) -> None:
        with suppress(OSError):  # it is dead: its end of stdout says so too, and is handled there
            self._stdin.write(job.encode() + "\n")
            self._stdin.flush()

    def terminate(self) -> None:
        """Ask the stage to save its state; processes that it started are its own business."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process and all that it has started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def bury_children(self) -> None:
        """End what a dead worker has started: it would keep the stage's lock, and our end of stdout open."""
        if self._process.poll() is not None and not self._buried:
            self._buried = True
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Take leave: a worker without work ends when its stdin closes."""
        self.dismissed = True
        with suppress(OSError):
            self._stdin.close()

    def join(self) -> int:
        """Wait until the process has ended, which is made sure of, and return its exit code."""
        try:
            return self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def close(self) -> None:
        """Give back what is held; the process has ended."""
        self._errors.close()

    def death(self) -> str:
        """Return why the process ended, with the last line it wrote to stderr outside of any stage."""
        self.dismiss()
        code = self.join()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
        self.close()
        return _reason(code) + (f": {last}" if last else "")

    def _read(self) -> None:
        for line in cast("IO[str]", self._process.stdout):
            with suppress(ValueError, KeyError, TypeError):  # half a line of a killed process
                self._tell(decode(line))
        cast("IO[str]", self._process.stdout).close()
        self._tell(None)


def _reason(code: int) -> str:
    if code >= 0:
        return f"its worker process ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = " (out of memory?)" if name == "SIGKILL" else ""
    return f"its worker process was killed by {name}{hint}"
