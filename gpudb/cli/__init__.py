"""The command line: ``gpudb …``. One file per group of commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from gpudb.errors import GpudbError

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended
PIPE_CLOSED = 141  # and for one that wrote to a closed pipe


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 for an error, 2 for wrong usage."""
    from gpudb.cli.parser import build_parser

    try:
        args = build_parser().parse_args(argv)
        code: int = args.run(args)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse, after --help, --version or wrong usage
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        sys.stderr.write("gpudb: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except GpudbError as error:
        return _report(str(error))
    except OSError as error:
        return _report(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    return code


def _report(message: str) -> int:
    sys.stderr.write(f"gpudb: error: {' '.join(message.split())}\n")
    return 1


def _drop_output() -> None:
    """Point stdout nowhere, so that Python's flush at exit does not complain again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
