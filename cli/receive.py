"""`shikong receive` and `shikong telegrams`: values that come by themselves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.table import Table

from shikong.cli import schema
from shikong.cli.console import clear_errors, out
from shikong.ingest.live.journal import Journal
from shikong.ingest.live.receiver import Inbox, Receiver
from shikong.ingest.live.telegrams import Protocol
from shikong.layers import catalog
from shikong.server import logs
from shikong.store import database, refused_telegrams

if TYPE_CHECKING:
    from shikong.ingest.live.writer import Writer

LOG = structlog.get_logger()

#: Seconds between two lines that say how it goes.
_EVERY = 60.0


def receive(
    sl651: Annotated[
        int | None, typer.Option(help="port for telegrams after SL 651-2014", envvar="SHIKONG_SL651_PORT")
    ] = None,
    hj212: Annotated[
        int | None, typer.Option(help="port for messages after HJ 212-2017", envvar="SHIKONG_HJ212_PORT")
    ] = None,
    mqtt: Annotated[
        str | None, typer.Option(help="broker: mqtt://user:password@host:port", envvar="SHIKONG_MQTT")
    ] = None,
    host: Annotated[str, typer.Option(help="address to listen at", envvar="SHIKONG_RECEIVE_HOST")] = "127.0.0.1",
) -> None:
    """Receive values of stations and instruments until it is stopped. What is confirmed is on the disk."""
    from shikong.ingest.live.writer import Writer

    with clear_errors():
        ports: dict[Protocol, int] = {}
        if sl651 is not None:
            ports["sl651"] = sl651
        if hj212 is not None:
            ports["hj212"] = hj212
        if not ports and mqtt is None:
            raise typer.BadParameter("say what to listen to: --sl651 PORT, --hj212 PORT, --mqtt ADDRESS")
        logs.configure()
        store = database.default()
        schema.bring_forward(store.settings)
        journal = Journal(store.settings.data / "receive")
        writer = Writer(store, catalog.default(), journal)
        writing = threading.Thread(target=writer.run, name="writer")
        writing.start()
        try:
            asyncio.run(_receive(host, ports, mqtt, journal, writer))
        finally:
            writer.stop()
            writing.join()


async def _receive(host: str, ports: dict[Protocol, int], mqtt: str | None, journal: Journal, writer: Writer) -> None:
    inbox = Inbox(journal)
    writing = asyncio.create_task(inbox.run())
    servers = [await Receiver(protocol, inbox).start(host, port) for protocol, port in ports.items()]
    for protocol, server in zip(ports, servers, strict=True):
        address, port = server.sockets[0].getsockname()[:2]
        LOG.info("listening", protocol=protocol, address=f"{address}:{port}")
    subscriber = None
    if mqtt:
        from shikong.ingest.live.mqtt import Subscriber

        subscriber = Subscriber(mqtt, inbox)
        await asyncio.to_thread(subscriber.start)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), _EVERY)
        except TimeoutError:
            figures = writer.figures
            LOG.info(
                "receiving", frames=figures.frames, values=figures.values, refused=figures.refused,
                waiting=await asyncio.to_thread(len, journal), lag=round(figures.lag, 3),
            )  # fmt: skip
    for server in servers:
        server.close()
    if subscriber:
        subscriber.stop()
    writing.cancel()


def telegrams(
    days: Annotated[int, typer.Option(help="of the last days", min=1)] = 7,
    station: Annotated[str | None, typer.Option(help="the frames of one station, with what was wrong")] = None,
    newest: Annotated[int, typer.Option(help="so many frames, newest first", min=0, max=1000)] = 0,
) -> None:
    """List what was received and refused: how much for which reason, or frame by frame."""
    with clear_errors():
        store = database.default()
        if station is None and not newest:
            table = Table("protocol", "reason", "frames", "senders", "last")
            since = datetime.now(UTC) - timedelta(days=days)
            for protocol, reason, number, senders, last in store.thread_fetch(
                refused_telegrams.SUMMARY, {"since": since}
            ):
                table.add_row(protocol, reason, f"{number:,}", f"{senders:,}", last.isoformat(timespec="seconds"))
        else:
            table = Table("received", "protocol", "from", "station", "reason", "what was wrong", "frame")
            wanted = {"station": station, "limit": newest or 20}
            for at, protocol, peer, sender, reason, told, data in store.thread_fetch(refused_telegrams.NEWEST, wanted):
                shown = data.hex().upper() if protocol == "sl651" else data.decode("utf-8", "replace")
                row = (at.isoformat(timespec="seconds"), protocol, peer, sender or "", reason, told, shown)
                table.add_row(*row)
        out.print(table)
