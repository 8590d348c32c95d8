"""``podpath`` and, found by kubectl, ``kubectl podpath``.

Exit codes: 0 clear, 1 findings, 2 usage or input, 3 could not decide, 4 our bug, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from podpath import __version__
from podpath.cli.errors import UsageError

COMMANDS = {
    "check": ("podpath.cli.check", "Find what is wrong in a bundle, the causes first."),
    "why": ("podpath.cli.why", "Say why one connection works or fails, hop by hop."),
    "explain": ("podpath.cli.explain", "Tell all about one fault, by its code."),
    "demo": ("podpath.cli.demo", "Show it at work on a cluster that comes with podpath."),
    "schema": ("podpath.cli.schema", "Print the JSON Schema of an output."),
}
"""Module and summary of each command; the modules are imported when their command is called."""

CLEAR, FINDINGS, USAGE, UNDECIDED, BUG, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 4, 130, 141
INPUT_ERRORS = (
    ("podpath.bundle.errors", "BundleError"),
    ("podpath.parse.errors", "ParseError"),
    ("podpath.cli.errors", "UsageError"),
)
"""Errors whose text is one sentence for the user. Their modules are not imported for that: where one was raised, it
is there."""

EPILOG = """Exit codes: 0 nothing found, 1 something found, 2 wrong usage or input, 3 could not decide,
4 a bug of podpath."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and knows the summaries of all."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(_no_command(args[0], ctx.info_name or "podpath"))
        return super().resolve_command(ctx, args)


def _no_command(name: str, program: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, 1)
    if near:
        return f"there is no command {name}: did you mean {program} {near[0]}?"
    return f"there is no command {name}: it is one of {', '.join(COMMANDS)}"


@click.command(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="podpath", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="On a bug of podpath, print the traceback (or PODPATH_DEBUG=1).")
def cli(*, debug: bool) -> None:
    """Find out why a packet does not arrive in a Kubernetes cluster.

    podpath reads a bundle (the state of the nodes and the objects of the API, collected before), walks everything
    that the cluster promises as the kernels would, and names the line that breaks it. It changes nothing.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in args or os.environ.get("PODPATH_DEBUG", "") not in ("", "0")
    args = [arg for arg in args if arg != "--debug"]
    _survive_any_text()
    try:
        code = _run(args or ["--help"])
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _refused(_sentence_of(error))
    except Exception as error:  # noqa: BLE001  the top of the program: our bug becomes an exit code
        return _refused(str(error)) if _is_input_error(error) else _bug(error, debug=debug)
    return code if isinstance(code, int) else CLEAR


def _run(args: list[str]) -> object:
    """What ``click.Command.main`` does, which has exit codes of its own for closed pipes and interrupts."""
    program = _program()
    if any(name.endswith("PODPATH_COMPLETE") for name in os.environ):
        return cli.main(args, prog_name=program, standalone_mode=False)  # a shell asks how a word goes on
    with cli.make_context(program, args) as context:
        return cli.invoke(context)


def _program() -> str:
    """The name that help speaks of: kubectl calls a plug-in by its file's name."""
    name = os.path.basename(sys.argv[0] if sys.argv else "")  # noqa: PTH119  pathlib costs a tenth of the start
    return "kubectl podpath" if name.startswith(("kubectl-podpath", "kubectl_podpath")) else "podpath"


def _survive_any_text() -> None:
    """Bundles hold any bytes: what a terminal cannot show is written as an escape, and ends no program."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _sentence_of(error: click.ClickException) -> str:
    """What click says, as one sentence that ends with where to read on."""
    said = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = f" (see {context.command_path} --help)" if context is not None else ""
    return f"{said[:1].lower()}{said[1:]}{where}"


def _is_input_error(error: Exception) -> bool:
    known = (getattr(sys.modules.get(module), name, None) for module, name in INPUT_ERRORS)
    return any(kind is not None and isinstance(error, kind) for kind in known)


def _refused(sentence: str) -> int:
    sys.stderr.write(f"podpath: {' '.join(sentence.split())}\n")
    return USAGE


def _pipe_closed() -> int:
    """Whoever read us has seen enough; nothing must be written at exit either."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


def _bug(error: Exception, *, debug: bool) -> int:
    """Our fault, and what helps to mend it."""
    if debug:
        import traceback

        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    sys.stderr.write(
        f"podpath: this is a bug of podpath {__version__}, not of your cluster ({what})\n"
        "Please report it with the command line and, if you may share it, the bundle"
        + (".\n" if debug else "; --debug prints where it happened.\n")
    )
    return BUG
