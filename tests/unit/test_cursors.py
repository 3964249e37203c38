"""Cursors: what was put in comes out, and what is not ours is refused by name.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shikong.layers import catalog
from shikong.providers import cursors
from shikong.providers.errors import BadParameter
from shikong.providers.items import Sort, Statement

PARCELS = catalog.default().layer("parcels")
SORT = (Sort("dlbm"), Sort("tbmj", True))


@given(
    st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.integers(1, 2**62), st.integers(0, 2**31), st.none() | st.integers(0, 2**40),
)  # fmt: skip
def test_a_cursor_comes_back_as_it_was(
    code: str | None, area: float | None, row: int, release: int, matched: int | None
) -> None:
    text = cursors.encode(Statement(b"", {}, (), tail=2), ("id", "geometry", code, area, row), release, matched)
    assert cursors.decode(PARCELS, text, SORT) == cursors.Cursor((code, area, row), release, matched)


@pytest.mark.parametrize(
    "values",
    [[], ["a", 1.0, 1, 1], ["a", 1.0, 1, 1, -1, 1], ["a", "b", 1, 1, -1], [["a"], 1.0, 1, 1, -1], ["a", {}, 1, 1, -1],
     ["a", 1.0, "1", 1, -1], ["a", 1.0, 1, 2**63, -1], ["a", 1.0, True, 1, -1], ["a", 1.0, -2, 1, -1],
     ["a\0", 1.0, 1, 1, -1], "text", {"a": 1}],
)  # fmt: skip
def test_forged_cursors_are_refused(values: object) -> None:
    text = base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")
    with pytest.raises(BadParameter):
        cursors.decode(PARCELS, text, SORT)


@pytest.mark.parametrize("text", ["?", "a", "AAAA", "é", "bm90IGpzb24"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="next"):
        cursors.decode(PARCELS, text, ())
