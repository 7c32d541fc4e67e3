"""Start the command line, as the command `harvester` does."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` itself imports for longer than all lines before it

# First of all: a Ctrl-C while the rest is imported ends the process without a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import gc
import os
import sys
from contextlib import suppress

from harvester.interrupts import Interrupted, interruptible


def main() -> None:
    """Run the command line and exit with its exit code."""
    try:
        with interruptible():
            # Imported here: Ctrl-C while it is imported ends with one line too.
            from harvester.cli import main as run

            run()
    except Interrupted as interrupted:
        with suppress(OSError):  # the terminal was closed
            os.write(2, f"harvester: {interrupted}\n".encode())
        sys.exit(interrupted.exit_code)
    finally:
        # The interpreter's end visits every object again, for a tenth of a second; the process is about to free them.
        gc.freeze()


if __name__ == "__main__":
    main()
