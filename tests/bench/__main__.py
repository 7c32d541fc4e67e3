"""`python -m tests.bench [NAME…] [--json]`: every module here that has a `run() -> Table` is a bench."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from harvester import __version__

PACKAGES = ("aiohttp", "networkx", "joblib", "orjson")


def main() -> None:
    modules = pkgutil.iter_modules([str(Path(__file__).parent)])
    names = sorted(module.name for module in modules if not module.ispkg)
    benches = [name for name in names if name not in ("__main__", "table")]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"of {', '.join(benches)}; all of them without one")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument("--markdown", action="store_true", help="print tables as the guide has them")
    options = parser.parse_args()
    unknown = set(options.name) - set(benches)
    if unknown:
        parser.error(f"no bench {min(unknown)!r}; there are {', '.join(benches)}")
    machine = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "harvester": __version__,
        **{name: version(name) for name in PACKAGES},
    }
    results = {}
    if not options.json:
        print(", ".join(f"{name} {text}" if name != "machine" else text for name, text in machine.items()))
    for name in options.name or benches:
        started_s = time.perf_counter()
        table = importlib.import_module(f"tests.bench.{name}").run()
        took_s = time.perf_counter() - started_s
        results[name] = {**asdict(table), "seconds": round(took_s, 2)}
        if not options.json:
            lines = table.markdown() if options.markdown else table.lines()
            print("\n" + "\n".join(lines) + f"\n({name}: measured in {took_s:.1f} s)")
            sys.stdout.flush()
    if options.json:
        print(json.dumps({**machine, "benches": results}, indent=2))


if __name__ == "__main__":
    main()
