"""Work on many items in several processes that end when they are told to, and when nobody is left to tell them.

The executors of the standard library do not: their workers outlive a killed parent, and a second Ctrl-C while they shut
down leaves them waiting for ever.
"""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar, cast

from benchmark.errors import BenchmarkError

J = TypeVar("J")
R = TypeVar("R")

_KILLED = (
    "a worker process was killed from outside, perhaps for want of memory. What is done is kept: run it again, with "
    "fewer --workers."
)


def each(work: Callable[[J], R], items: Iterable[J], workers: int) -> Generator[R, None, None]:
    """Yield ``work(item)`` of every item, in any order; with 0 workers in this process.

    What ``work`` raises ends everything. Close the generator to end it earlier. Raises BenchmarkError where a worker is
    killed.
    """
    if not workers:
        yield from map(work, items)
        return
    left = iter(items)
    with _crew(work, workers) as lines:
        busy = [line for line in lines if _give(line, left)]
        while busy:
            for line in cast("list[Connection]", wait(busy)):
                result = _take(line)
                if not _give(line, left):
                    busy.remove(line)
                yield result


def _give(line: Connection, left: Iterator[J]) -> bool:
    """Send a worker the next item; return whether there was one."""
    for item in left:
        try:
            line.send(item)
        except BrokenPipeError as error:
            raise BenchmarkError(_KILLED) from error
        return True
    return False


def _take(line: Connection) -> Any:
    """Return what a worker made of its item, or raise what it raised."""
    try:
        result, error = line.recv()
    except (EOFError, ConnectionError) as gone:
        raise BenchmarkError(_KILLED) from gone
    if error is not None:
        raise error
    return result


@contextmanager
def _crew(work: Callable[[J], R], size: int) -> Iterator[list[Connection]]:
    """Yield a line to each of ``size`` processes, which do not outlive the block."""
    context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    processes: list[SpawnProcess] = []
    lines: list[Connection] = []
    try:
        with _deaf():  # processes that start in here stay deaf: this one ends them
            for _ in range(size):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(work, theirs), daemon=True)
                process.start()
                theirs.close()  # or the end of the process would not end the line
                processes.append(process)
                lines.append(ours)
        yield lines
    finally:
        with _deaf():
            for process, line in zip(processes, lines, strict=True):
                process.terminate()
                line.close()
            for process in processes:
                process.join()


def _serve(work: Callable[[J], R], line: Connection) -> None:
    """Work until the line ends, as it does when the parent is gone."""
    while True:
        try:
            item = line.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer: tuple[R | None, Exception | None] = work(item), None
        except Exception as error:
            error.add_note(traceback.format_exc())  # the parent has no other way to know where it was
            answer = None, error
        try:
            line.send(answer)
        except ConnectionError:
            return


@contextmanager
def _deaf() -> Iterator[None]:
    """Put off Ctrl-C to the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
