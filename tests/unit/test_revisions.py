"""Which release has last touched a place, against a model that looks at every box of every release.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shikong.tiles import revisions
from shikong.tiles.revisions import LayerRevisions, Release

_NUMBER = st.integers(0, 12).map(float)
_BOX = st.tuples(_NUMBER, _NUMBER, _NUMBER, _NUMBER).map(
    lambda n: [min(n[0], n[2]), min(n[1], n[3]), max(n[0], n[2]), max(n[1], n[3])]
)
_TOUCHED = st.none() | st.lists(_BOX, max_size=4)


def _model(history: list[Release], box: list[float]) -> int:
    west, south, east, north = box
    last = 0
    for release, boxes in history:
        each = [boxes[at : at + 4] for at in range(0, len(boxes), 4)] if boxes is not None else None
        if each is None or any(b[0] <= east and b[2] >= west and b[1] <= north and b[3] >= south for b in each):
            last = release
    return last


@given(st.lists(st.lists(_TOUCHED, min_size=1, max_size=4), max_size=6), _BOX)
def test_the_last_release_that_touched_a_place_is_found_however_releases_come(
    news: list[list[list[list[float]] | None]], box: list[float]
) -> None:
    known, history = LayerRevisions(), []
    for several in news:
        fresh: list[Release] = []
        for boxes in several:
            flat = None if boxes is None else [value for each in boxes for value in each]
            fresh.append((len(history) + len(fresh) + 1, flat))
        history += fresh
        known.learn(fresh[::-1])
        assert known.newest == len(history)
        assert known.revision(*box) == _model(history, box)


def test_what_is_known_already_is_not_taken_up_twice() -> None:
    known = LayerRevisions()
    known.learn([(2, [0, 0, 1, 1]), (1, None)])
    known.learn([(3, [5, 5, 6, 6]), (2, None), (1, None)])
    assert [known.revision(0, 0, 1, 1), known.revision(5, 5, 6, 6), known.revision(8, 8, 9, 9)] == [2, 3, 1]


def test_what_was_touched_too_long_ago_to_be_kept_counts_as_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "_MOST_BOXES", 3)
    known = LayerRevisions()
    known.learn([(release, [release, 0, release, 0]) for release in range(6, 0, -1)])
    assert [known.revision(place, 0, place, 0) for place in range(1, 8)] == [3, 3, 3, 4, 5, 6, 3]


def test_of_a_long_ledger_only_the_last_releases_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "MOST_RELEASES", 2)
    known = LayerRevisions()
    known.learn([(9, [0, 0, 1, 1]), (8, [5, 5, 6, 6])])
    assert [known.revision(0, 0, 1, 1), known.revision(5, 5, 6, 6), known.revision(8, 8, 9, 9)] == [9, 8, 8]
