"""How commands speak: to people on a terminal, errors as one clear line.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shikong.hydrology.terrain.errors import TerrainError
from shikong.ingest.errors import IngestError
from shikong.layers.errors import DeclarationError, UnknownLayer
from shikong.processes.errors import ProcessError
from shikong.store.errors import StoreError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Print our own errors as a message and leave with status 1; a defect keeps its trace."""
    try:
        yield
    except (IngestError, DeclarationError, UnknownLayer, StoreError, ProcessError, TerrainError) as error:
        err.print(f"[red]✗[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from error


@contextmanager
def progress_bar(title: str, total: int | None = None) -> Iterator[tuple[Progress, TaskID]]:
    """A bar on a terminal, gone when the work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield bar, bar.add_task(title, total=total)
