"""Distinct blocks and the pages they lie in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gpudb.catalog.catalog import Catalog
from gpudb.catalog.records import Location, PageRecord

_AT_ONCE = 500  # parameters of one statement; SQLite's limit was 999 for a long time


def add_page(catalog: Catalog, page: PageRecord, blocks: Iterable[tuple[bytes, int, int]]) -> None:
    """Record a page and which distinct blocks lie in it.

    Parameters
    ----------
    catalog
        Where to.
    page
        The page; recorded once, however often it is added.
    blocks
        (hash, row, bytes) of each distinct block. One that is known already moves here.
    """
    with catalog.transaction():
        catalog.run(
            "INSERT INTO page (hash, dtype, nbytes, blocks) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (page.hash, page.dtype, page.nbytes, page.blocks),
        )
        ((page_id,),) = catalog.rows("SELECT id FROM page WHERE hash = ?", (page.hash,))
        catalog.run_many(
            "INSERT INTO stored_block (hash, page, row, nbytes) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (hash) DO UPDATE SET page = excluded.page, row = excluded.row",
            ((digest, page_id, row, nbytes) for digest, row, nbytes in blocks),
        )


def find_blocks(catalog: Catalog, hashes: Sequence[bytes]) -> dict[bytes, Location]:
    """Where those of the blocks lie that are stored."""
    found: dict[bytes, Location] = {}
    for start in range(0, len(hashes), _AT_ONCE):
        part = hashes[start : start + _AT_ONCE]
        rows = catalog.rows(
            "SELECT stored_block.hash, page.hash, row FROM stored_block "
            "JOIN page ON page.id = stored_block.page "
            f"WHERE stored_block.hash IN ({', '.join('?' * len(part))})",
            part,
        )
        found.update({digest: Location(page, row) for digest, page, row in rows})
    return found


def pages(catalog: Catalog) -> list[PageRecord]:
    """Every page, in the order they were written."""
    rows = catalog.rows("SELECT hash, dtype, nbytes, blocks FROM page ORDER BY id")
    return [PageRecord(*row) for row in rows]


def forget_unused_pages(catalog: Catalog) -> int:
    """Forget the pages none of whose blocks is used, and those blocks; how many pages.

    In a page that stays, blocks without a use are kept: their bytes are there anyway, and a later
    import may use them.
    """
    return catalog.run(
        "DELETE FROM page WHERE NOT EXISTS ("
        "SELECT 1 FROM stored_block JOIN block ON block.stored_block = stored_block.id "
        "WHERE stored_block.page = page.id)"
    )
