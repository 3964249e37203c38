"""Conversations: how each protocol cuts a stream into frames, and what it answers to each.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol as Interface

from shikong.ingest.live import hj212, sl651
from shikong.ingest.live.telegrams import Broken, Frame, Protocol

Answer = bytes | None

#: A frame to be kept with its answer; an answer alone (or none) to what is not kept.
Heard = tuple[Frame | None, Answer]

#: Telegrams of one connection whose packets are being gathered.
_GATHERED = 16


class Talk(Interface):
    """One conversation. held: whether it waits for more of what it has."""

    @property
    def held(self) -> bool: ...

    def feed(self, data: bytes) -> Iterator[Heard]:
        """What is complete with this data."""

    def rest(self) -> Iterator[Heard]:
        """What is left when the stream ends or pauses."""


class Sl651Talk:
    """A station after SL 651. Telegrams are confirmed; of one in packets, a packet that is missing is asked for."""

    def __init__(self) -> None:
        self._framer = sl651.framer()
        self._packets: dict[tuple[str, int], dict[int, tuple[sl651.Head, bytes]]] = {}

    @property
    def held(self) -> bool:
        """Whether a frame or some of its packets are still to come."""
        return self._framer.held or bool(self._packets)

    def feed(self, data: bytes) -> Iterator[Heard]:
        """What is complete with this data."""
        for frame in self._framer.feed(data):
            yield from self._frame(frame)

    def rest(self) -> Iterator[Heard]:
        """What is left when the stream ends or pauses."""
        for frame in self._framer.rest():
            yield from self._frame(frame)
        for packets in self._packets.values():
            told = f"packets {sorted(packets)} came, the others did not"
            yield Frame(_joined(packets), Broken("packets_missing", told)), None
        self._packets.clear()

    def _frame(self, frame: Frame) -> Iterator[Heard]:
        if frame.fault is not None:
            yield frame, None
            return
        head = sl651.head(frame.data)
        if head.packets is not None:
            yield from self._packet(head, frame.data)
        elif head.function == sl651.HEARTBEAT:
            yield None, None  # it keeps the connection open and wants no answer
        else:
            yield frame, sl651.confirmation(head, datetime.now(UTC), head.serial)

    def _packet(self, head: sl651.Head, data: bytes) -> Iterator[Heard]:
        """One packet of several: when all are there they are one frame; else, at the end, one is asked for again."""
        assert head.packets is not None
        total, number = head.packets
        key = head.station, head.function
        if not 1 <= number <= total or (key not in self._packets and len(self._packets) >= _GATHERED):
            yield Frame(data, Broken("packets", f"packet {number} of {total} cannot be taken")), None
            return
        packets = self._packets.setdefault(key, {})
        packets[number] = (head, data)
        missing = [one for one in range(1, total + 1) if one not in packets]
        serial = packets[1][0].serial if 1 in packets else 0
        if not missing:
            del self._packets[key]
            yield Frame(_joined(packets)), sl651.confirmation(head, datetime.now(UTC), serial)
        elif head.end == sl651.ETX:
            yield None, sl651.again(head, missing[0], datetime.now(UTC), serial)


def _joined(packets: Mapping[int, tuple[sl651.Head, bytes]]) -> bytes:
    return b"".join(data for _, (_, data) in sorted(packets.items()))


class Hj212Talk:
    """An instrument after HJ 212, which is answered if it asks for that."""

    def __init__(self) -> None:
        self._framer = hj212.framer()

    @property
    def held(self) -> bool:
        """Whether a message is still to come."""
        return self._framer.held

    def feed(self, data: bytes) -> Iterator[Heard]:
        """What is complete with this data."""
        return map(_with_answer, self._framer.feed(data))

    def rest(self) -> Iterator[Heard]:
        """What is left when the stream ends or pauses."""
        return map(_with_answer, self._framer.rest())


def _with_answer(frame: Frame) -> Heard:
    if frame.fault is not None:
        return frame, None
    try:
        message = hj212.message(frame.data)
    except Broken as broken:
        return Frame(frame.data, broken), None
    return frame, hj212.answer(message) if message.wants_answer else None


TALKS: Mapping[Protocol, Callable[[], Talk]] = {"sl651": Sl651Talk, "hj212": Hj212Talk}
