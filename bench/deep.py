"""Does page 10,000 cost what page 1 costs? Each server is asked for its first pages and for pages far behind them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from client import Question, Timing
from servers import Server

LIMIT = 10
PAGE = 10_000
#: So many pages in a row are asked for, there and at the beginning.
PAGES = 8
#: Features of a page by which the way to the far page is gone.
_STRIDE = 10_000

Ask = Callable[[int, str], bytes]


@dataclass
class Deep:
    """How one server did: on its first pages, and on those from `page` on."""

    page: int
    first: Timing = field(default_factory=Timing)
    far: Timing = field(default_factory=Timing)

    @property
    def cost(self) -> float:
        """How many times a first page's time a far page takes."""
        return self.first.rate / self.far.rate


def page_of(rows: int) -> int:
    """The number of the far page in a table of so many rows."""
    return min(PAGE, rows // LIMIT - PAGES)


def questions(server: Server, page: int, ask: Ask) -> tuple[list[Question], list[Question]]:
    """First pages and far ones; the service's own by its `next` links, the others' by offset."""
    assert server.page is not None
    if server.name == "shikong":
        return _following(server, "", ask), _following(server, _cursor_behind(server, (page - 1) * LIMIT, ask), ask)
    starts = [(page - 1 + number) * LIMIT for number in range(PAGES)]
    return (
        [Question(server.page(LIMIT, number * LIMIT), _full) for number in range(PAGES)],
        [Question(server.page(LIMIT, start), _full) for start in starts],
    )


def _full(body: bytes) -> bool:
    return body.count(b'"Feature"') == LIMIT


def _following(server: Server, cursor: str, ask: Ask) -> list[Question]:
    """Pages one after the other, from a cursor on; an empty one is the beginning."""
    found = []
    for _ in range(PAGES):
        path = _path(LIMIT, cursor)
        found.append(Question(path, _full))
        cursor = _next_cursor(ask(server.port, path))
    return found


def _cursor_behind(server: Server, rows: int, ask: Ask) -> str:
    """The cursor behind so many rows."""
    cursor = ""
    while rows > 0:
        stride = min(rows, _STRIDE)
        cursor, rows = _next_cursor(ask(server.port, _path(stride, cursor))), rows - stride
    return cursor


def _path(limit: int, cursor: str) -> str:
    return f"/collections/parcels/items?f=json&limit={limit}" + (f"&cursor={cursor}" if cursor else "")


def _next_cursor(body: bytes) -> str:
    (href,) = (link["href"] for link in orjson.loads(body)["links"] if link["rel"] == "next")
    return str(href.partition("&cursor=")[2])
