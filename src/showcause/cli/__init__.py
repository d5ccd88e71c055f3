"""The command line: `showcause explain …`, `showcause report …`. Every command is a thin door to the library.

Exit codes: 0 complete; 1 incomplete, or findings; 2 usage or bad input; 3 internal error; 130 interrupted; 143 ended.
"""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Sequence
from types import FrameType

INCOMPLETE, BAD_INPUT, INTERNAL, INTERRUPTED = 1, 2, 3, 130


class Interrupted(Exception):
    """Ctrl-C in a command that has something to say of what it did until then."""


def main(words: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code; a traceback is shown with --debug only."""
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(run(sys.argv[1:] if words is None else words))


def run(words: Sequence[str]) -> int:
    """The exit code of one command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter shows its escape
            stream.reconfigure(errors="backslashreplace")
    given = [word for word in words if word != "--debug"]
    debug = len(given) < len(words)
    try:
        import typer

        from showcause.cli.app import app

        code = typer.main.get_command(app).main(given, prog_name="showcause", standalone_mode=False)
        if code == INTERRUPTED:  # what the parser makes of Ctrl-C
            return _interrupted()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return _interrupted()
    except Interrupted as error:
        return _interrupted(str(error))
    except Exception as error:
        if type(error).__name__ == "Abort":  # what older parsers make of it
            return _interrupted()
        if debug:
            import traceback

            traceback.print_exception(error)
        return _failed(error)


def _terminated(number: int, frame: FrameType | None) -> None:
    """A batch system's way to end a command: what is half done is cleared away, as after Ctrl-C."""
    sys.exit(128 + number)


def _interrupted(said: str = "") -> int:
    from showcause.cli.terminal import complain

    told = said or "nothing was published. What was finished is kept and reused by the next run"
    complain(f"interrupted: {told}")
    return INTERRUPTED


def _failed(error: Exception) -> int:
    from showcause.cli.terminal import complain
    from showcause.core.errors import Corrupt, IncompleteRun, Refused, ShowcauseError

    if hasattr(error, "format_message"):  # a usage error of the command-line parser
        context = getattr(error, "ctx", None)
        if context is not None:
            complain(context.get_usage())
        complain(f"error: {error.format_message()}")
        return BAD_INPUT
    if isinstance(error, ShowcauseError):
        complain(f"error: {error}")
        return INCOMPLETE if isinstance(error, Corrupt | IncompleteRun | Refused) else BAD_INPUT
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        complain(f"error: {error.filename}: {error.strerror}")
        return BAD_INPUT
    complain(f"internal error: {type(error).__name__}: {error}")
    complain("This is a fault of showcause: please run it again with --debug and file an issue with what it says")
    return INTERNAL
