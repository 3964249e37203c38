"""Telegrams against real frames of stations with values decoded by the rules of the standards, and against faults.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import contextlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shikong.ingest.live import hj212, sl651
from shikong.ingest.live.telegrams import Broken, Frame, Reading

SAMPLES = Path(__file__).resolve().parents[3] / "shared/data/telemetry"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="no real frames here: ../shared/data is absent")

#: The example that is worked through in the sources of the standard's text.
REGULAR = bytes.fromhex(
    "7E7E010010100001A00032002B02000C200724172349F1F1001010000148F0F02007241723"
    "2019000130221900004039230000055038121268038397"
)


def _samples(name: str) -> list[dict[str, Any]]:
    path = SAMPLES / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _frame(sample: dict[str, Any]) -> bytes:
    return bytes.fromhex(sample["frame"])


SL651 = _samples("sl651_samples.json")
HJ212 = _samples("hj212_samples.json")


def _told(readings: list[Reading]) -> list[tuple[str, str, float | None]]:
    return [(r.element, r.time.strftime("%Y%m%d%H%M"), r.value) for r in readings]


def _expected(elements: list[Any]) -> list[tuple[str, str, float | None]]:
    """The readings of a sample: one each, or twelve five minutes apart."""
    found, time = [], ""
    for lead, _, value, *_ in elements:
        if lead == "F0":
            time = value
        elif lead not in ("F1", "F2"):
            for number, one in enumerate(value if isinstance(value, list) else [value]):
                at = datetime.strptime(f"{time}+0800", "%Y%m%d%H%M%z") + timedelta(minutes=5 * number)
                found.append((lead, at.strftime("%Y%m%d%H%M"), one))
    return found


def test_the_worked_example_of_the_standards_text() -> None:
    telegram = sl651.read(sl651.head(REGULAR))
    assert (telegram.station, telegram.kind) == ("0010100001", "32")
    assert [(r.element, r.value) for r in telegram.readings] == [("20", 13.0), ("22", 4.0), ("39", 0.55), ("38", 12.68)]
    assert {r.time.astimezone(UTC) for r in telegram.readings} == {datetime(2020, 7, 24, 9, 23, tzinfo=UTC)}


@needs_samples
@pytest.mark.parametrize("sample", SL651, ids=lambda sample: sample["frame"][20:44])
def test_real_frames_of_stations_are_read_as_they_are_decoded(sample: dict[str, Any]) -> None:
    if not (sample["crc_ok"] and sample["frame_len_ok"] if "frame_len_ok" in sample else sample["crc_ok"]):
        with pytest.raises(Broken):
            sl651.head(_frame(sample))
        return
    decoded = sample["decoded"]
    head = sl651.head(_frame(sample))
    assert (head.centre, head.station, head.password.hex().upper(), f"{head.function:02X}") == (
        decoded["center_addr"], decoded["station"], decoded["password"], decoded["func"],
    )  # fmt: skip
    if "pkt_total" in decoded:
        assert head.packets == (decoded["pkt_total"], decoded["pkt_no"])
        return
    assert head.serial == decoded["serial"]
    if decoded["func"] in ("2F", "30", "31", "32", "33", "34", "35", "37", "38", "39", "3A"):
        assert _told(sl651.read(head).readings) == _expected(decoded.get("elements", []))


@needs_samples
def test_a_picture_in_thirteen_packets_is_put_together() -> None:
    packets = [sl651.head(_frame(s)) for s in SL651 if "pkt_total" in s["decoded"]]
    picture = sl651.read(sl651.together(packets)).picture
    assert picture is not None
    with Image.open(io.BytesIO(picture[1])) as image:
        assert (image.format, image.size) == ("JPEG", (128, 120))


@needs_samples
@pytest.mark.parametrize("sample", HJ212, ids=lambda sample: sample["message"][:40])
def test_real_messages_of_instruments_are_read_as_they_are_decoded(sample: dict[str, Any]) -> None:
    frame = sample["message"].encode("gb18030")
    if not sample["crc_ok"] or not sample["len_ok"]:
        with pytest.raises(Broken):
            hj212.message(frame)
        return
    message = hj212.message(frame)
    assert message.fields == sample["decoded"]["header"]
    command = sample["decoded"]["header"]["CN"]
    fields = [field for group in sample["decoded"]["cp"] for field in group.items()]
    values = {f"{name[:-4]}/{command}": float(value) for name, value in fields if name.endswith("-Rtd")}
    assert {r.element: r.value for r in hj212.read(message).readings} == values


def test_the_check_value_of_hj212_is_not_that_of_modbus() -> None:
    data = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert f"{hj212.crc16(data):04X}" == "1C80"
    assert f"{sl651.crc16(data):04X}" == "0759"


def test_a_mark_of_the_instrument_stays_with_its_value() -> None:
    values = b"DataTime=20260701080000;w01018-Rtd=4.2,w01018-Flag=D;w21003-Rtd=0.3,w21003-Flag=N"
    data = b"ST=21;CN=2011;MN=A1;Flag=4;CP=&&%s&&" % values
    frame = b"##%04d%s%04X" % (len(data), data, hj212.crc16(data))
    found = hj212.read(hj212.message(frame)).readings
    assert [(r.element, r.faulty) for r in found] == [("w01018/2011", True), ("w21003/2011", False)]


def test_answers_are_what_an_instrument_can_read() -> None:
    """The confirmation goes to the station with its serial number and ends the connection; its checksum holds."""
    head = sl651.head(REGULAR)
    answer = sl651.confirmation(head, datetime(2020, 7, 24, 9, 24, 0, tzinfo=UTC), head.serial)
    assert answer[:-2].hex().upper() == "7E7E001010000101A00032800802000C20072417240004"
    assert int.from_bytes(answer[-2:], "big") == sl651.crc16(answer[:-2])
    data = b"QN=20160801085857223;ST=32;CN=2011;PW=100000;MN=A1;Flag=5;CP=&&DataTime=20260701080000&&"
    asked = hj212.message(b"##%04d%s%04X" % (len(data), data, hj212.crc16(data)))
    assert asked.wants_answer
    (framed,) = hj212.framer().feed(hj212.answer(asked))
    assert hj212.message(framed.data).fields == {
        "QN": "20160801085857223", "ST": "91", "CN": "9014", "PW": "100000", "MN": "A1", "Flag": "4",
    }  # fmt: skip


def _even(elements: str) -> sl651.Head:
    body = bytes.fromhex("0001260701080000F1F1001010000148F0F02607010800" + elements)
    return sl651.Head(1, "0010100001", b"\xa0\x00", sl651.EVEN, None, body, sl651.ETX)


def test_even_steps_negative_numbers_and_gaps() -> None:
    found = sl651.read(_even("0418000005" + "3923" + "00031250" + "FFFFFFFF" + "FF001250")).readings
    assert _told(found) == [
        ("39", "202607010800", 31.25), ("39", "202607010805", None), ("39", "202607010810", -1.25),
    ]  # fmt: skip


@pytest.mark.parametrize(("elements", "reason"), [
    ("0418000005" + "3923" + "0003A250", "not_decimal"), ("0418000005" + "3923" + "000312", "truncated"),
])  # fmt: skip
def test_what_is_wrong_within_a_body_is_named(elements: str, reason: str) -> None:
    with pytest.raises(Broken) as told:
        sl651.read(_even(elements))
    assert told.value.reason == reason


SOUND = [REGULAR, *(_frame(s) for s in SL651 if s["crc_ok"])]


#: Noise, a frame that was broken off, and one with bits turned over.
BETWEEN = [b"", b"\r\n", b"noise", REGULAR[:30], REGULAR[:40] + bytes([REGULAR[40] ^ 6]) + REGULAR[41:]]


@given(st.data())
def test_a_stream_gives_its_frames_however_it_is_cut_and_whatever_lies_between(data: st.DataObject) -> None:
    frames = data.draw(st.lists(st.sampled_from(SOUND), min_size=1, max_size=5))
    stream = b""
    for frame in frames:
        stream += data.draw(st.sampled_from(BETWEEN))
        stream += frame
    framer, found = sl651.framer(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += framer.feed(stream[:size])
        stream = stream[size:]
    found += framer.rest()
    assert [frame.data for frame in found if frame.fault is None] == frames


@given(st.binary(max_size=400))
def test_no_noise_brings_the_readers_down(noise: bytes) -> None:
    for framer in (sl651.framer(), hj212.framer()):
        cut: list[Frame] = [*framer.feed(noise), *framer.feed(noise)]
        assert all(frame.data for frame in [*cut, *framer.rest()])
        assert not list(framer.rest())


@given(st.binary(min_size=9, max_size=60))
def test_no_body_brings_the_reader_down(body: bytes) -> None:
    with contextlib.suppress(Broken):
        sl651.read(sl651.Head(1, "0010100001", b"\xa0\x00", 0x32, None, body, sl651.ETX))
