"""``gpudb predict``: how fast a model should be on a GPU that need not be there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gpudb.cli.options import Commands, add_command, add_database_options, open_database
from gpudb.cli.output import add_output_options, check_output, emit
from gpudb.errors import UnsupportedError

if TYPE_CHECKING:
    from gpudb.predict import Prediction

DETAIL = (
    "\n\nNothing is run: seconds follow from shapes, data sheets and assumed efficiencies; "
    "docs/gpu.md\nsays which. One batch; no text is padded, and tokenising is not included."
)


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "predict",
        "predict a model's speed on GPUs, from their data sheets",
        "gpudb predict minilm -d my.gpudb --texts 256 --length 55 --gpu t4 --gpu l4",
        DETAIL,
    )
    parser.add_argument("model", metavar="MODEL", help="name of a model")
    parser.add_argument(
        "--gpu", action="append", metavar="NAME", help="t4, l4, a100-80gb, …; again for more"
    )
    parser.add_argument(
        "--precision", action="append", metavar="NAME", help="float32, tf32, float16 or bfloat16"
    )
    parser.add_argument("--texts", type=int, default=128, metavar="N", help="default: 128")
    parser.add_argument(
        "--length", type=int, default=128, metavar="N", help="tokens of each text; default: 128"
    )
    parser.add_argument(
        "--no-graph", action="store_true", help="each kernel launched by itself, by Python"
    )
    parser.add_argument("--steps", action="store_true", help="one row for each operator")
    add_database_options(parser)
    add_output_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write what is predicted, one row for each GPU and precision, or for each operator."""
    import pyarrow as pa

    from gpudb.predict import GPUS, PRECISIONS

    check_output(args)
    if args.texts < 1:
        args.parser.error(f"--texts is {args.texts}; it must be at least 1")
    rows: list[dict[str, object]] = []
    with open_database(args, must_exist=True) as db:
        for gpu in args.gpu or GPUS:
            for precision in args.precision or PRECISIONS:
                try:
                    predicted = db.predict(
                        args.model,
                        [args.length] * args.texts,
                        gpu=gpu,
                        precision=precision,
                        graph=not args.no_graph,
                    )
                except UnsupportedError:
                    if args.gpu and args.precision:
                        raise  # asked for by name
                    continue
                rows += _steps(predicted) if args.steps else [_summary(predicted)]
    emit(pa.Table.from_pylist(rows), args)
    return 0


def _summary(predicted: Prediction) -> dict[str, object]:
    return {
        **_setting(predicted),
        "predicted tokens/s": round(predicted.tokens_per_second),
        "predicted ms": round(predicted.seconds * 1e3, 3),
        "of roofline": round(predicted.roofline_share, 3),
        "launches": predicted.launches,
        "a layer": predicted.launches_per_layer,
    }


def _steps(predicted: Prediction) -> list[dict[str, object]]:
    return [
        {
            **_setting(predicted),
            "operator": step.operator,
            "detail": step.detail,
            "launches": step.launches,
            "GFLOP": round(step.flops / 1e9, 3),
            "MB": round(step.moved_nbytes / 1e6, 3),
            "of least": round(step.moved_share, 2),
            "predicted µs": round(step.seconds * 1e6, 1),
            "roofline µs": round(step.least_seconds * 1e6, 1),
        }
        for step in predicted.steps
    ]


def _setting(predicted: Prediction) -> dict[str, object]:
    return {"gpu": predicted.setting.gpu.name, "precision": predicted.setting.precision}
