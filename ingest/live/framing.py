"""Cutting frames out of a stream, whatever protocol they are of.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shikong.ingest.live.telegrams import Broken, Frame


@dataclass(frozen=True)
class Shape:
    """What frames look like.

    start: how each begins. head: bytes after which its length is known. blank: what may lie between frames. length: of
    a frame by its head, or why it is none. fault: what is wrong with a whole one.
    """

    start: bytes
    head: int
    blank: bytes
    length: Callable[[bytes], int | Broken]
    fault: Callable[[bytes], Broken | None]


class Framer:
    """Cuts frames out of a stream. What is no frame comes out with its fault; what follows it is not lost."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._held = b""

    @property
    def held(self) -> bool:
        """Whether there is something that more is to come of."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with this data."""
        shape = self._shape
        self._held += data
        while True:
            noise = self._before_the_next()
            if noise.strip(shape.blank):
                yield Frame(noise, Broken("no_frame", "no frame starts here"))
            if not self._held.startswith(shape.start) or len(self._held) < shape.head:
                return
            length = shape.length(self._held)
            if isinstance(length, Broken):
                yield self._cut(len(shape.start), length)
            elif len(self._held) < length:
                return
            else:
                yield self._cut(length, shape.fault(self._held[:length]))

    def rest(self) -> Iterator[Frame]:
        """What is left when the stream ends or pauses: what was broken off, and what came whole after it."""
        self._held = self._held.strip(self._shape.blank)
        while self._held:
            begins = self._held.find(self._shape.start, len(self._shape.start))
            left = self._held if begins < 0 else self._held[:begins]
            self._held = self._held[len(left) :]
            yield Frame(left, Broken("truncated", "the stream broke off within a frame"))
            yield from self.feed(b"")

    def _before_the_next(self) -> bytes:
        """What stands before the next start. Its first half may be the last byte."""
        at = self._held.find(self._shape.start)
        if at < 0:
            at = len(self._held) - self._held.endswith(self._shape.start[:1])
        noise, self._held = self._held[:at], self._held[at:]
        return noise

    def _cut(self, length: int, fault: Broken | None) -> Frame:
        """Take a frame off the front; another one may begin within what a broken one claims to be."""
        if fault is not None:
            begins = self._held.find(self._shape.start, len(self._shape.start))
            length = begins if 0 <= begins < length else length
        frame, self._held = self._held[:length], self._held[length:]
        return Frame(frame, fault)
