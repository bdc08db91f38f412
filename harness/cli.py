"""Edge: the command line: its commands in order, and how a failed one ends."""

from __future__ import annotations

import sys

import typer
from rich.markup import escape

from harness.commands.calibrate import calibrate
from harness.commands.dashboard import dashboard
from harness.commands.data import data
from harness.commands.explain import explain
from harness.commands.export import export
from harness.commands.list import list_studies
from harness.commands.merge import merge
from harness.commands.new import new
from harness.commands.plan import plan
from harness.commands.predict import predict
from harness.commands.replicate import replicate
from harness.commands.report import report
from harness.commands.run import run
from harness.commands.slice import measure_slices
from harness.commands.speech import err
from harness.commands.status import status
from harness.errors import HarnessError

# A command imports what it needs in its function: `list` answers without pandas, `status` without torch.

app = typer.Typer(
    name="harness",
    help="Ablation studies for deep learning: declare a study, train every run, read one report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(list_studies)
app.command()(new)
app.command()(plan)
app.command()(run)
app.command()(calibrate)
app.command()(status)
app.command()(report)
app.command()(dashboard)
app.command()(export)
app.command()(merge)
app.command()(replicate)
app.command()(predict)
app.command("slice")(measure_slices)
app.command()(explain)
app.command()(data)


def main() -> None:
    """Run the command line: exit status 0 done, 1 the work failed, 2 wrong input, 130 interrupted."""
    try:
        app()
    except HarnessError as error:
        err.print(f"[red bold]error:[/] {escape(error.received)}")
        err.print(f"  [bold]rule:[/] {escape(error.rule)}")
        err.print(f"  [bold]remedy:[/] {escape(error.remedy)}")
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
