"""Start the command line, as the command `harvester` does."""

from __future__ import annotations

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
