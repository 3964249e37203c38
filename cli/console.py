"""How commands speak: to people on a terminal, errors as one clear line.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from shikong.ingest.errors import IngestError
from shikong.layers.errors import DeclarationError, UnknownLayer
from shikong.store.errors import StoreError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Print our own errors as a message and leave with status 1; a defect keeps its trace."""
    try:
        yield
    except (IngestError, DeclarationError, UnknownLayer, StoreError) as error:
        err.print(f"[red]✗[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
