"""What signals do to a process of the command line.

Owns the handlers of SIGINT, SIGTERM and SIGHUP. The first signal raises `Interrupted`, so that every `finally` runs and
no temporary file stays; a second one ends the process at once. A run that ends in order takes the signals instead. A
program that imports harvester keeps its own handlers.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_WORDS = {signal.SIGINT: "interrupted by Ctrl-C", signal.SIGHUP: "ended because the terminal was closed (SIGHUP)"}
_AGAIN_S = 0.01


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end.

    Not a `SystemExit`, which the code of a plugin may raise without ending the process. `state` says what that leaves.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)
        self.state = "no file is left half written: run the command again"

    @property
    def exit_code(self) -> int:
        """Return the conventional exit code."""
        return 128 + self.number

    def __str__(self) -> str:
        """Return the words for a person."""
        how = _WORDS.get(self.number, f"ended by {self.number.name}")
        return f"{how}; {self.state}"


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` in the block at the first signal.

    A signal that is ignored already (by `nohup`, or for a script's job in the background) stays ignored. After the
    block a signal ends the process silently: there is nothing left to save.
    """
    ours = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    asked = False

    def end(number: int, _frame: object) -> None:
        nonlocal asked
        if asked:
            end_at_once(number)
        asked = True
        raise Interrupted(number)

    def swallowed(unraisable: Any) -> None:
        """Send the signal again if a destructor swallowed its exception."""
        nonlocal asked
        if isinstance(unraisable.exc_value, Interrupted):
            asked = False
            threading.Timer(_AGAIN_S, os.kill, (os.getpid(), unraisable.exc_value.number)).start()
        else:
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = swallowed
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    except Exception as error:
        if (interrupt := interrupt_in(error)) is not None:
            raise interrupt from None
        raise
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def interrupt_in(error: BaseException | None) -> Interrupted | None:
    """Return the interrupt of which Python has made this error, or None.

    While a class is made, Python 3.11 turns what its fields raise into an error of its own: a signal may come there.
    """
    while error is not None and not isinstance(error, Interrupted):
        error = error.__cause__
    return error


@contextmanager
def taking(take: Callable[[int], object]) -> Iterator[None]:
    """Call `take` with the number of each signal in the block.

    It is called in the main thread, between any two instructions, also in the middle of a line that is written. A
    signal that is ignored already stays ignored.
    """
    ours = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _frame: take(number)) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def end_at_once(number: int) -> None:
    """End this process with the exit code of the signal; clean up nothing."""
    os._exit(128 + number)
