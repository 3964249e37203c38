"""Messages of environmental instruments after HJ 212-2017 (and 2005).

`##`, the length of the data in four digits, the data, four hexadecimal digits of a checksum, CR LF. The data are fields
`name=value;` and, between `&&`, the values: groups parted by `;`, of fields `factor-Rtd=…` parted by `,`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from shikong.ingest.live.framing import Framer, Shape
from shikong.ingest.live.telegrams import BEIJING, Broken, Reading, Telegram

START = b"##"

#: Commands that bring values: real time, minutes, hours, days.
VALUES = {"2011": "Rtd", "2051": "Avg", "2061": "Avg", "2031": "Avg"}

#: Marks of values that may be trusted: normal, and typed in by hand. Others are of an instrument that is faulty, being
#: calibrated or maintained, out of its range, or stopped.
_SOUND = ("N", "S")

_FIELD = re.compile(r"(\w+)=([^;]*);?")

#: Bits of `Flag`: the centre shall answer; the message is one packet of several.
_ANSWER, _PACKETS = 1, 2

_HEAD, _TAIL = 6, 4  # start and length; checksum


@dataclass(frozen=True)
class Message:
    """A message whose checksum is right. fields: those before the values. values: what stands between the &&."""

    fields: dict[str, str]
    values: str

    @property
    def wants_answer(self) -> bool:
        """Whether the instrument waits for an answer."""
        return bool(_flag(self.fields) & _ANSWER)


def crc16(data: bytes) -> int:
    """The checksum of the standard's annex A; it is not that of Modbus, though it has the same polynomial."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def framer() -> Framer:
    """Who cuts such messages out of a stream."""
    return Framer(Shape(START, _HEAD, b"\r\n\x00 ", _length, _fault))


def _length(held: bytes) -> int | Broken:
    if not held[2:_HEAD].isdigit():
        return Broken("no_frame", "a message starts with its length in four digits")
    return _HEAD + int(held[2:_HEAD]) + _TAIL


def _fault(frame: bytes) -> Broken | None:
    told, found = frame[-_TAIL:].decode("latin-1").upper(), f"{crc16(frame[6:-_TAIL]):04X}"
    return None if told == found else Broken("checksum", f"the checksum is {told}, not {found}")


def message(frame: bytes) -> Message:
    """The fields of a whole message. Raises Broken."""
    if not frame.startswith(START) or not frame[2:6].isdigit() or len(frame) != 10 + int(frame[2:6]):
        raise Broken("truncated", f"the message has {len(frame)} bytes")
    if (fault := _fault(frame)) is not None:
        raise fault
    try:
        text = frame[6:-_TAIL].decode("gb18030")
    except UnicodeDecodeError:
        raise Broken("not_text", "the message is no text") from None
    before, _, after = text.partition("CP=&&")
    fields = dict(_FIELD.findall(before))
    if "MN" not in fields:
        raise Broken("no_station", "the message does not name its instrument (MN)")
    return Message(fields, after.partition("&&")[0])


def answer(to: Message) -> bytes:
    """The centre's answer that it has a message: 9014."""
    known = {name: to.fields[name] for name in ("QN", "PW", "MN") if name in to.fields}
    parts = {"QN": known.get("QN"), "ST": "91", "CN": "9014", "PW": known.get("PW"), "MN": known["MN"], "Flag": "4"}
    data = "".join(f"{name}={value};" for name, value in parts.items() if value is not None) + "CP=&&&&"
    body = data.encode("gb18030")
    return START + f"{len(body):04}".encode() + body + f"{crc16(body):04X}\r\n".encode()


def read(told: Message) -> Telegram:
    """What a message tells. Raises Broken.

    Packets of a longer message (PNUM) hold whole groups of values each, with their own time, and are read one by one.
    """
    command = told.fields.get("CN", "")
    if command not in VALUES:
        return Telegram("hj212", told.fields["MN"], command)
    groups = [
        dict(field.split("=", 1) for field in group.split(",") if "=" in field) for group in told.values.split(";")
    ]
    time = next((_time(group["DataTime"]) for group in groups if "DataTime" in group), None)
    readings = [reading for group in groups for reading in _readings(group, command, time)]
    return Telegram("hj212", told.fields["MN"], command, readings)


def _readings(group: dict[str, str], command: str, told: datetime | None) -> Iterator[Reading]:
    marks = {name.rpartition("-")[0]: value for name, value in group.items() if name.endswith("-Flag")}
    sampled = {name.rpartition("-")[0]: value for name, value in group.items() if name.endswith("-SampleTime")}
    for name, text in group.items():
        factor, _, what = name.rpartition("-")
        if what != VALUES[command]:
            continue
        time = _time(sampled[factor]) if factor in sampled else told
        if time is None:
            raise Broken("no_time", "the message has values without a time (DataTime)")
        yield Reading(f"{factor}/{command}", time, _number(text), marks.get(factor, "N") not in _SOUND)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        raise Broken("not_decimal", f"{text!r} is no number") from None


def _time(text: str) -> datetime:
    """YYYYMMDDhhmmss in Beijing time; some instruments add milliseconds."""
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        raise Broken("not_a_time", f"{text!r} is no time") from None


def _flag(fields: dict[str, str]) -> int:
    return int(fields["Flag"]) if fields.get("Flag", "").isdigit() else 0
