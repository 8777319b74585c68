"""A plan drawn as SVG: a box for each operator, top to bottom, an edge for each result read.

Colour and the bar in a box say how much of the time it took; so does the width of the edge out of
it. Text is escaped; nothing refers to anything outside the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 260, 46
GAP_X, GAP_Y = 36, 30
MARGIN = 16
CHARACTERS = 36
"""That fit one line of a box."""
COLD, HOT = (248, 250, 252), (248, 113, 80)


@dataclass(frozen=True, slots=True)
class Box:
    """One operator of a picture."""

    number: int
    title: str
    text: str
    """Second line."""
    hover: str
    reads: tuple[int, ...]
    """Numbers of earlier boxes."""
    share: float | None
    """Of the time, 0 to 1; None when nothing was measured."""


def draw(boxes: Sequence[Box], label: str) -> str:
    """SVG of boxes that only read earlier ones; ``label`` says what it shows, for screen readers.

    Boxes lie one row below the lowest that they read. An edge that skips rows runs in the margin
    beside the boxes, so that it crosses none.
    """
    places = _places(boxes)
    by_number = {box.number: box for box in boxes}
    columns = 1 + max((x for x, _ in places.values()), default=0)
    rows = 1 + max((y for _, y in places.values()), default=0)
    lane = MARGIN + GAP_X * 2
    width = columns * (WIDTH + GAP_X) - GAP_X + 2 * lane
    height = rows * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    corners = {
        n: (lane + x * (WIDTH + GAP_X), MARGIN + y * (HEIGHT + GAP_Y))
        for n, (x, y) in places.items()
    }
    edges = [
        _edge(corners[read], corners[box.number], by_number[read].share, width)
        for box in boxes
        for read in box.reads
    ]
    hottest = max((box.share or 0.0 for box in boxes), default=0.0) or 1.0
    drawn = [_box(box, *corners[box.number], hottest) for box in boxes]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{escape(label)}">',
            *edges,
            *drawn,
            "</svg>",
        ]
    )


def _places(boxes: Sequence[Box]) -> Mapping[int, tuple[int, int]]:
    """Column and row of each box."""
    rows: dict[int, int] = {}
    used: dict[int, int] = {}
    places = {}
    for box in boxes:
        row = 1 + max((rows[read] for read in box.reads), default=-1)
        rows[box.number] = row
        places[box.number] = (used.get(row, 0), row)
        used[row] = used.get(row, 0) + 1
    return places


def _box(box: Box, x: int, y: int, hottest: float) -> str:
    share = box.share or 0.0
    bar = (
        f'<rect class="bar" x="{x}" y="{y + HEIGHT - 4}" width="{share * WIDTH:.1f}" height="4"/>'
        if box.share is not None
        else ""
    )
    percent = (
        f'<text class="share" x="{x + WIDTH - 8}" y="{y + 18}" text-anchor="end">{share:.1%}</text>'
        if box.share is not None
        else ""
    )
    return (
        f'<g class="box"><title>{escape(box.hover)}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" '
        f'fill="{_colour(share / hottest)}"/>'
        f"{bar}"
        f'<text class="operator" x="{x + 8}" y="{y + 18}">'
        f"#{box.number} {escape(_cut(box.title, CHARACTERS - 8))}</text>{percent}"
        f'<text class="detail" x="{x + 8}" y="{y + 35}">{escape(_cut(box.text, CHARACTERS + 4))}'
        "</text></g>"
    )


def _edge(source: tuple[int, int], target: tuple[int, int], share: float | None, width: int) -> str:
    (x1, y1), (x2, y2) = source, target
    x1, x2, start = x1 + WIDTH // 2, x2 + WIDTH // 2, y1 + HEIGHT
    if y2 - y1 <= HEIGHT + GAP_Y:
        middle = (start + y2) / 2
        path = f"M{x1},{start} C{x1},{middle} {x2},{middle} {x2},{y2}"
    else:  # out of the side of a box, down the margin, into the side of the other
        x1, x2 = x1 + WIDTH // 2, x2 + WIDTH // 2
        outer = min(width - 8, max(x1, x2) + GAP_X + 12)
        start, end = y1 + HEIGHT // 2, y2 + HEIGHT // 2
        path = (
            f"M{x1},{start} C{outer},{start} {outer},{start} {outer},{start + 24} "
            f"L{outer},{end - 24} C{outer},{end} {outer},{end} {x2},{end}"
        )
    thick = 1.2 + 6 * (share or 0.0)
    return f'<path class="edge" d="{path}" stroke-width="{thick:.1f}"/>'


def _colour(heat: float) -> str:
    """From pale, 0, to hot, 1: the step that took longest."""
    red, green, blue = (round(c + heat * (h - c)) for c, h in zip(COLD, HOT, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
