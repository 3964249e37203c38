"""Telegrams of hydrological stations after SL 651-2014, in HEX/BCD.

A frame is a head of 14 bytes, a body, an end and a checksum (tables 20 and 22 of the standard). The body tells elements
by an identifier, a descriptor (how many bytes, how many decimals) and packed decimals. Times are Beijing time. A long
body is sent in packets, which are put together before it is read (M3).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shikong.ingest.live.framing import Framer, Shape
from shikong.ingest.live.telegrams import BEIJING, Broken, Reading, Telegram

START = b"\x7e\x7e"
STX, SYN, ETX, ETB, EOT, ACK, NAK = 0x02, 0x16, 0x03, 0x17, 0x04, 0x06, 0x15

HEARTBEAT, TEST, EVEN, MANUAL, PICTURE = 0x2F, 0x30, 0x31, 0x35, 0x36

#: Functions whose bodies tell what was observed; others answer queries about the instrument itself.
_REPORTS = frozenset(range(0x30, 0x3B))

_HEAD = 14
_TAIL = 3  # end and checksum
MAX_BODY = 0xFFF

_TIME_LEAD, _STATION_LEAD, _MANUAL_LEAD, _PICTURE_LEAD = 0xF0, 0xF1, 0xF2, 0xF3
_STEP, _STATE, _EXTENDED = 0x04, 0x45, 0xFF

_FIVE_MINUTES = timedelta(minutes=5)


@dataclass(frozen=True)
class Head:
    """The head of a frame that came from a station. packets: how many there are and which one this is, from 1."""

    centre: int
    station: str
    password: bytes
    function: int
    packets: tuple[int, int] | None
    body: bytes
    end: int

    @property
    def serial(self) -> int:
        """The number that the station gave the telegram; only the first packet has one."""
        return int.from_bytes(self.body[:2], "big")


def crc16(data: bytes) -> int:
    """The checksum of 6.5.2: x^16 + x^15 + x^2 + 1, as Modbus has it."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return table


_CRC = _crc_table()


def _length(held: bytes) -> int:
    size = int.from_bytes(held[11:13], "big") & MAX_BODY
    return _HEAD + size + _TAIL


def _fault(frame: bytes) -> Broken | None:
    if frame[11] >> 4:
        return Broken("direction", "the frame is not one that a station sends")
    if frame[13] not in (STX, SYN):
        return Broken("no_frame", f"byte 14 is {frame[13]:02X}, neither STX nor SYN")
    if crc16(frame[:-2]) != int.from_bytes(frame[-2:], "big"):
        return Broken("checksum", f"the checksum is {frame[-2:].hex().upper()}, not {crc16(frame[:-2]):04X}")
    if frame[-3] not in (ETX, ETB):
        return Broken("no_frame", f"the body ends with {frame[-3]:02X}, neither ETX nor ETB")
    return None


def framer() -> Framer:
    """Who cuts such frames out of a stream."""
    return Framer(Shape(START, _HEAD, b"\r\n\x00", _length, _fault))


def head(frame: bytes) -> Head:
    """The head of a whole frame. Raises Broken."""
    if not frame.startswith(START) or len(frame) < _HEAD + _TAIL or len(frame) != _length(frame):
        raise Broken("truncated", f"the frame has {len(frame)} bytes")
    if (fault := _fault(frame)) is not None:
        raise fault
    station, body, packets = frame[3:8].hex().upper(), frame[_HEAD:-_TAIL], None
    if frame[13] == SYN:
        if len(body) < 3:
            raise Broken("truncated", "the packet does not say which one it is")
        both = int.from_bytes(body[:3], "big")
        packets, body = (both >> 12, both & 0xFFF), body[3:]
    return Head(frame[2], station, frame[8:10], frame[10], packets, body, frame[-3])


def confirmation(of: Head, now: datetime, serial: int) -> bytes:
    """What a centre answers to a telegram that it has (6.3.1.2, tables 21 and 23)."""
    end = ACK if of.end == ETB and of.packets is None else EOT
    total = of.packets and (of.packets[0], of.packets[0])
    return _down(of, _told(serial, now), end, total)


def again(of: Head, packet: int, now: datetime, serial: int) -> bytes:
    """The request to send one packet again."""
    assert of.packets is not None
    return _down(of, _told(serial, now), NAK, (of.packets[0], packet))


def _told(serial: int, now: datetime) -> bytes:
    return serial.to_bytes(2, "big") + bytes.fromhex(now.astimezone(BEIJING).strftime("%y%m%d%H%M%S"))


def _down(of: Head, body: bytes, end: int, packets: tuple[int, int] | None) -> bytes:
    start, lead = STX, b""
    if packets is not None:
        start, lead = SYN, (packets[0] << 12 | packets[1]).to_bytes(3, "big")
    whole = lead + body
    frame = START + bytes.fromhex(of.station) + bytes([of.centre]) + of.password + bytes([of.function])
    frame += (0x8000 | len(whole)).to_bytes(2, "big") + bytes([start]) + whole + bytes([end])
    return frame + crc16(frame).to_bytes(2, "big")


def together(packets: list[Head]) -> Head:
    """The telegram that packets make up; they are complete and in order."""
    first = packets[0]
    body = b"".join(packet.body for packet in packets)
    return Head(first.centre, first.station, first.password, first.function, first.packets, body, packets[-1].end)


def read(telegram: Head) -> Telegram:
    """What a telegram tells. Raises Broken."""
    kind = f"{telegram.function:02X}"
    if telegram.function not in _REPORTS:
        return Telegram("sl651", telegram.station, kind)
    body = _Body(telegram.body)
    body.take(2)  # the serial number
    body.time(6)  # when it was sent
    found = _elements(body, even=telegram.function == EVEN)
    return Telegram("sl651", telegram.station, kind, found.readings, found.picture, found.station_class)


class _Body:
    """A body that is read from its front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        """The next bytes. Raises Broken."""
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise Broken("truncated", f"the body ends within what byte {self._at} begins")
        self._at += size
        return found

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data) - self._at)

    def time(self, size: int) -> datetime:
        """A time: YYMMDDHHmm, or with seconds. Raises Broken."""
        text = self.take(size).hex()
        try:
            return datetime.strptime("20" + text.ljust(12, "0"), "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
        except ValueError:
            raise Broken("not_a_time", f"{text} is no time") from None


@dataclass
class _Found:
    readings: list[Reading] = field(default_factory=list)
    picture: tuple[datetime, bytes] | None = None
    station_class: str | None = None


def _elements(body: _Body, *, even: bool) -> _Found:
    """The values of a body; even: one element at even steps of time (function 31)."""
    found = _Found()
    time: datetime | None = None
    step: timedelta | None = None
    while body:
        lead, size = body.take(2)
        if lead == _STATION_LEAD:
            body.take(5)
            found.station_class = body.take(1).hex().upper() if body else None
        elif lead == _TIME_LEAD:
            time = body.time(5)
        elif lead == _MANUAL_LEAD:
            body.rest()
        elif lead == _PICTURE_LEAD:
            found.picture = (_known(time), body.rest())
        elif lead == _STEP:
            step = _step(body.take(size >> 3))
        else:
            name = f"{lead:02X}"
            if lead == _EXTENDED:
                name, size = f"FF{size:02X}", body.take(1)[0]
            if even and step:
                found.readings += _series(name, size, body, _known(time), step)
            else:
                found.readings += _values(name, size, body, time)
    return found


def _known(time: datetime | None) -> datetime:
    if time is None:
        raise Broken("no_time", "values come before any time of observation")
    return time


def _step(code: bytes) -> timedelta:
    days, hours, minutes = (int(f"{byte:02x}") for byte in code)
    return timedelta(days=days, hours=hours, minutes=minutes)


def _series(name: str, size: int, body: _Body, first: datetime, step: timedelta) -> Iterator[Reading]:
    at = first
    while body:
        yield Reading(name, at, _number(body.take(size >> 3), size & 7))
        at += step


def _values(name: str, size: int, body: _Body, time: datetime | None) -> list[Reading]:
    """One value, or twelve of an hour, five minutes apart from the time that was told on (table 36)."""
    data = body.take(size >> 3)
    lead = int(name[:2], 16)
    if lead == _STATE:
        return [Reading(name, _known(time), float(int.from_bytes(data, "big")))]
    if 0xF4 <= lead <= 0xFC:
        width, unit = (1, 10) if lead == 0xF4 else (2, 100)
        groups = [data[at : at + width] for at in range(0, len(data), width)]
        known = _known(time)
        return [
            Reading(name, known + number * _FIVE_MINUTES, _unless_invalid(group, unit))
            for number, group in enumerate(groups)
        ]
    return [Reading(name, _known(time), _number(data, size & 7))]


def _unless_invalid(group: bytes, unit: int) -> float | None:
    return None if group == b"\xff" * len(group) else int.from_bytes(group, "big") / unit


def _number(data: bytes, decimals: int) -> float | None:
    """Packed decimals. FF in front means a negative number, FF throughout that there is none."""
    if data == b"\xff" * len(data):
        return None
    negative = data[0] == 0xFF
    digits = data[1:].hex() if negative else data.hex()
    if not digits.isdecimal():
        raise Broken("not_decimal", f"{data.hex().upper()} are no packed decimals")
    value = int(digits) / float(10**decimals)
    return -value if negative else value
