"""``gpudb import-model``: store a checkpoint folder as a model."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

from gpudb.cli.options import Commands, add_command, add_database_options, open_database

if TYPE_CHECKING:
    from gpudb.models.importer import ImportReport


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "import-model",
        "store the model in a Hugging Face or sentence-transformers folder",
        "gpudb import-model ./all-MiniLM-L6-v2 --name minilm -d my.gpudb",
        "Importing again under the same name makes a new version; equal blocks are stored once.",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", help="holds config.json and weights: *.safetensors, …"
    )
    parser.add_argument("--name", required=True, help="what SQL calls it, e.g. minilm")
    parser.add_argument(
        "--block", type=_block, metavar="RxC", help="elements of one block, e.g. 384x384"
    )
    parser.add_argument(
        "--allow-nonfinite", action="store_true", help="import weights that hold NaN or infinity"
    )
    parser.add_argument(
        "--dtype",
        metavar="DTYPE",
        help="store matrices as float32, float16, bfloat16 or int8; default: as they come",
    )
    parser.add_argument(
        "--tower",
        choices=("text", "image"),
        help="which encoder of a CLIP checkpoint; each is a model of its own",
    )
    add_database_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Import, and say what was stored."""
    with open_database(args) as db:
        report = db.import_model(
            args.folder,
            args.name,
            block=args.block,
            allow_nonfinite=args.allow_nonfinite,
            dtype=args.dtype,
            tower=args.tower,
        )
    sys.stdout.write(
        f"Imported {report.name} version {report.version} ({report.architecture}) into {args.db}: "
        f"{report.parameters:,} parameters in {report.tensors:,} tensors and "
        f"{report.blocks:,} blocks of {report.nbytes:,} bytes; {report.new_nbytes:,} bytes "
        f"written; {report.seconds:.1f} s.\n"
        f"Weights: {report.file} ({report.format})\n"
    )
    if report.unused:
        sys.stdout.write(f"Other weight files, not read: {', '.join(report.unused)}\n")
    if report.head is not None:
        labels = f" of {len(report.labels)} labels: {', '.join(report.labels)}"
        sys.stdout.write(f"Answers {report.head}{labels if report.labels else ''}\n")
    sys.stdout.write(_rounding(report))
    for weight, count in report.nonfinite.items():
        sys.stdout.write(f"NaN or infinite: {count:,} elements of {weight}\n")
    if report.ignored:
        sys.stdout.write(f"Left out, not needed: {', '.join(report.ignored)}\n")
    return 0


def _rounding(report: ImportReport) -> str:
    """What storing weights in another dtype changed."""
    if not report.errors:
        return ""
    sizes = ", ".join(f"{nbytes:,} of {dtype}" for dtype, nbytes in report.dtypes.items())
    worst = max(report.errors, key=lambda weight: report.errors[weight])
    lines = [
        f"Bytes by dtype: {sizes}.",
        f"Relative error of {len(report.errors):,} rounded weights: at most "
        f"{report.errors[worst]:.2g} ({worst}).",
    ]
    if report.cosines is not None:
        lines.append(
            f"Cosine with the vectors of the model as it came: {report.cosines.mean:.6f} on "
            f"average over {report.cosines.texts} texts, {report.cosines.least:.6f} at least."
        )
    return "".join(f"{line}\n" for line in lines)


def _block(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)[x×]([1-9]\d*)", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no block shape; expected ROWSxCOLUMNS, e.g. 384x384"
        )
    return int(match[1]), int(match[2])
