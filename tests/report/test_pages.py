"""A report as a page and a picture: well-formed, escaped, and whole in itself."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

from gpudb.report import Report, to_html, to_text
from gpudb.report.picture import Box, draw
from tests.report.measured import HOSTILE, measured, whole


class Closed(HTMLParser):
    """Fails on an element that is not closed; remembers all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_escaped_and_needs_nothing_else():
    report = whole(measured()[0])
    page = to_html(report)
    ElementTree.fromstring(page.partition("\n")[2])
    parser = Closed()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    tags = {tag for tag, _ in parser.seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "use", "image"}
    for _, attributes in parser.seen:
        assert not {"src", "href", "xlink:href", "onload"} & attributes.keys()
    assert "url(" not in page
    assert "@import" not in page
    assert HOSTILE not in page
    boxes = [a for tag, a in parser.seen if tag == "g"]
    assert len(boxes) == len(report.parts) + len(report.plans[0].steps)
    edges = [a for tag, a in parser.seen if tag == "path"]
    assert len(edges) == 1 + sum(len(s.reads) for s in report.plans[0].steps)


def test_a_page_without_a_run_or_a_physical_plan():
    told, _, _ = measured()
    logical = replace(told, weights=None, steps=(), run=None, summary="", counts={})
    page = to_html(Report("EXPLAIN (RELATIONAL)", plans=(logical,)))
    ElementTree.fromstring(page.partition("\n")[2])
    assert "<svg" not in page
    assert to_text(Report("r", plans=(logical,))).endswith(HOSTILE)


def test_boxes_do_not_lie_on_each_other_and_hot_ones_are_redder():
    reads = [(), (1,), (1,), (2, 3), (4, 1)]
    shares = [0.0, 0.1, 0.5, 0.3, 0.1]
    boxes = [
        Box(n, "Op", "", "", r, s) for n, (r, s) in enumerate(zip(reads, shares, strict=True), 1)
    ]
    svg = draw(boxes, "plan")
    found = re.findall(r'<rect x="(\d+)" y="(\d+)"[^>]*fill="#(..)(..)(..)"', svg)
    assert len({(x, y) for x, y, *_ in found}) == len(boxes)
    tops = [int(y) for _, y, *_ in found]
    assert all(tops[box.number - 1] > tops[r - 1] for box in boxes for r in box.reads)
    green = [int(g, 16) for _, _, _, g, _ in found]
    assert sorted(range(5), key=lambda i: green[i])[0] == 2


def test_a_picture_of_nothing_and_of_one():
    for boxes in ([], [Box(1, "<&>", "", "", (), None)]):
        ElementTree.fromstring(draw(boxes, "a & b"))
