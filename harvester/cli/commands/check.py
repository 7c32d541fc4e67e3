"""`harvester check`: verify every file of the library, and repair it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.consent import DryRunOption, YesOption, with_consent
from harvester.cli.console import JsonOption, LibraryOption, print_json, print_lines, say
from harvester.cli.options import JobsOption, SchedulerOption
from harvester.counts import counted
from harvester.storage import path_text

if TYPE_CHECKING:
    from harvester.actions import CheckReport


def check(
    library: LibraryOption = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair what can be repaired, move the rest to quarantine/.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every file of the library.

    The exit code is 0 if there are no problems. --repair deletes nothing: corrupt files move to quarantine/ in the
    library's folder. On a terminal it asks first; --dry-run shows what it would do.
    """
    from harvester import actions
    from harvester.errors import Findings

    folder = actions.find_library(library)

    def show(report: CheckReport) -> None:
        _show(report, folder, as_json=as_json, dry_run=dry_run)

    if repair:
        report = with_consent(
            lambda dry: actions.check(folder, repair=True, dry_run=dry, jobs=jobs, scheduler=scheduler),
            show,
            # Only a repair counts what is left.
            lambda planned: f"Repair {folder}?" if planned.left else "",
            dry_run=dry_run,
            yes=yes,
            final=False,
        )
    else:
        report = actions.check(folder, dry_run=dry_run, jobs=jobs, scheduler=scheduler)
        show(report)
    if not report.clean:
        repairable = not repair and not all(one.by_hand for one in report.findings if one.severity != "note")
        how = "; `harvester check --repair` repairs what can be repaired" if repairable else ""
        raise Findings(f"check found problems in {folder}{how}")


def _show(report: CheckReport, folder: Path, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        facts = {
            "library": path_text(folder),
            "clean": report.clean,
            "files": report.files,
            "findings": [finding.as_dict() for finding in report.findings],
            "done": list(report.notices),
            "dry_run": dry_run,
        }
        print_json(facts)
        return
    for finding in report.findings:
        repaired = " (repaired)" if finding.repaired else ""
        print_lines(f"{finding.severity:<8} {finding.path}: {finding.problem}{repaired}")
    for line in report.notices:
        say(line)
    found = "no problems found" if report.clean else "see the problems above"
    say(f"{folder}: {counted(report.files, 'file')}, {found}")
    if report.left:
        aside = "; the files it replaced are in quarantine/" if report.aside else ""
        say(f"after the repair the library holds {report.left}{aside}")
