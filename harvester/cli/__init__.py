"""Run the commands; only this module ends the process with a code.

Every command is a module in `commands` and imports what it needs when it runs, so that `--help` and completion stay
fast. An error that a person can cause is one line on stderr; a traceback means a bug in harvester.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from harvester.actions import answering
from harvester.cli.commands import analyse as analyse_command
from harvester.cli.commands import backups as backup_commands
from harvester.cli.commands import browse as browse_command
from harvester.cli.commands import check as check_command
from harvester.cli.commands import config as config_command
from harvester.cli.commands import export as export_command
from harvester.cli.commands import find as find_command
from harvester.cli.commands import forget as forget_command
from harvester.cli.commands import git as git_commands
from harvester.cli.commands import guide as guide_command
from harvester.cli.commands import harvest as harvest_command
from harvester.cli.commands import history as history_command
from harvester.cli.commands import import_old as import_command
from harvester.cli.commands import link as link_command
from harvester.cli.commands import map as map_command
from harvester.cli.commands import merge as merge_command
from harvester.cli.commands import plan as plan_command
from harvester.cli.commands import plugins as plugins_command
from harvester.cli.commands import previews as previews_command
from harvester.cli.commands import refresh as refresh_command
from harvester.cli.commands import relate as relate_command
from harvester.cli.commands import sandbox as sandbox_command
from harvester.cli.commands import service as service_command
from harvester.cli.commands import show as show_command
from harvester.cli.commands import sql as sql_command
from harvester.cli.commands import status as status_command
from harvester.cli.completion import answer_shell, asking_shell, completion_wanted
from harvester.cli.console import Console, check_name, note, print_lines, say_more, say_to_person
from harvester.cli.defaults import read_defaults
from harvester.cli.extensions import ExtensibleCommand
from harvester.cli.parameters import adapt
from harvester.cli.refusals import UsageError, describe
from harvester.cli.streams import ReaderLeft
from harvester.cli.terminal import guarded_streams
from harvester.cli.variables import find_misspelt
from harvester.errors import HarvesterError, SettingsError, exit_code_table
from harvester.interrupts import interrupt_in
from harvester.open_files import limit_of
from harvester.storage import read_path
from harvester.told import Level
from harvester.version import __version__

# \\b makes click keep the line breaks of the paragraph.
_EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"{one.code:>5}  {one.meaning}" for one in exit_code_table())

app = typer.Typer(
    name="harvester",
    help="Grow, keep and share a library of Freesound sounds and their similarity graph.\n\n"
    "`harvester guide` explains it topic by topic.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        print_lines(f"harvester {__version__}")
        raise typer.Exit


def _read_settings(context: typer.Context, config: str | None) -> str | None:
    """Read the settings files as the defaults of all commands."""
    tables = {one.name: one.callback for one in app.registered_commands if one.name and not one.hidden}
    tables |= {one.name: None for one in app.registered_groups if isinstance(one.name, str)}  # a group has no settings
    named = read_path(config) if check_name(config) and config else None
    defaults = read_defaults(Path(), os.environ, tables, named)
    context.default_map, context.obj = dict(defaults.by_command), defaults
    return config


@app.callback()
def _everything(
    context: typer.Context,
    _config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            callback=_read_settings,
            help="Read settings from this file only.",
            show_default="your own and harvester.toml",
        ),
    ] = None,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Print requests, retries, decisions; -vv: details too.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and warnings only, also with -v.")] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Write messages and the log as JSON, one object a line.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    Console.verbose, Console.quiet, Console.log_json = 0, False, False
    Console.ask(verbose=verbose, quiet=quiet, log_json=log_json)
    # A warning, not an error: the environment may be of another version or program, and a cron job must not fail.
    for line in find_misspelt(os.environ, context.command):
        note(line)


app.command("harvest", cls=ExtensibleCommand)(harvest_command.harvest)
app.command("plan")(plan_command.plan)
app.command("refresh")(refresh_command.refresh)
app.command("link")(link_command.link)
app.command("relate")(relate_command.relate)
app.command("status")(status_command.status)
app.command("history")(history_command.history)
app.command("show")(show_command.show)
app.command("find")(find_command.find)
app.command("analyse")(analyse_command.analyse)
app.command("export", cls=ExtensibleCommand)(export_command.export)
app.command("map")(map_command.map)
app.command("browse")(browse_command.browse)
app.command("previews")(previews_command.previews)
app.command("sql")(sql_command.sql)
app.command("check")(check_command.check)
app.add_typer(backup_commands.backups_app, name="backups")
app.command("restore")(backup_commands.restore)
app.command("merge")(merge_command.merge)
app.command("import")(import_command.import_old)
app.command("forget")(forget_command.forget)
app.command("init")(git_commands.init)
app.command("git-setup")(git_commands.git_setup)
app.command("git-merge", hidden=True)(git_commands.git_merge)
app.command("git-textconv", hidden=True)(git_commands.git_textconv)
app.command("service")(service_command.service)
app.command("sandbox")(sandbox_command.sandbox)
app.command("config")(config_command.config)
app.command("plugins")(plugins_command.plugins)
app.command("guide")(guide_command.guide)


def main() -> None:
    """Run the command line and exit with its exit code."""
    with guarded_streams():
        _main()


def _main() -> None:
    if sys.platform == "win32":
        sys.exit("harvester: Windows is not supported; use WSL, Linux or macOS")
    if shell := asking_shell():
        sys.exit(answer_shell(shell, _run))
    try:
        code = _run() or 0
        sys.stdout.flush()  # what cannot be written is told here, not lost at the interpreter's end
        sys.exit(code)
    except UsageError as error:
        sys.exit(_refuse(error))
    except typer.Abort as abort:  # Ctrl-C while a shell waits for words
        raise (abort.__context__ or abort) from None
    except HarvesterError as error:
        note(*getattr(error, "__notes__", ()), f"harvester: {error.command_line or error}", level=Level.ERROR)
        sys.exit(error.exit_code)
    except ReaderLeft:
        sys.exit(128 + signal.SIGPIPE)  # as in `harvester show 1 | head`
    except Exception as error:
        if (interrupt := interrupt_in(error)) is not None:
            raise interrupt from None
        if limit := limit_of(error):
            note(f"harvester: {limit}; all saved sounds are safe in the journal")
            sys.exit(SettingsError.exit_code)
        sys.excepthook(*sys.exc_info())
        note(
            "harvester: this is a bug in harvester; all saved sounds are safe in the journal. Please report the above."
        )
        sys.exit(HarvesterError.exit_code)


def _run() -> Any:
    """Run the command line, or complete it; return the exit code."""
    command = build_tree()
    # Without a name, `python -m harvester` would be one of three words, and its completion script would not run.
    if completion_wanted():
        return command(prog_name="harvester", standalone_mode=False)
    # Not by `command(…)`, which has words and exit codes of its own for an interrupt and for a reader that has gone.
    try:
        with answering(say_to_person, say_more), command.make_context("harvester", sys.argv[1:]) as context:
            code = command.invoke(context)
            sys.stdout.flush()  # what is done after the answer takes its time
            return code
    except typer.Exit as ended:
        return ended.exit_code


def build_tree() -> Any:
    """Return the tree of commands as the command line runs it."""
    command = typer.main.get_command(app)
    adapt(command, _functions())
    return command


def _refuse(error: UsageError) -> int:
    """Print what is wrong with the command line; return the exit code."""
    if len(sys.argv) < 2 or not error.format_message():  # without arguments, the error prints the help
        error.show()
    else:
        note(f"harvester: {describe(error)}", level=Level.ERROR)
    return int(error.exit_code)


def _functions() -> dict[str, Callable[..., Any]]:
    """Return the commands' functions by path; "" has the global options."""
    functions: dict[str, Callable[..., Any]] = {"": _everything}
    groups = [("", app), *((f"{one.name} ", one.typer_instance) for one in app.registered_groups)]
    for path, group in groups:
        for one in group.registered_commands if group is not None else ():
            if one.callback is not None:
                functions[f"{path}{one.name}"] = one.callback
    return functions
