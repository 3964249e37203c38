"""What can be wrong with a declaration. SPDX-License-Identifier: Apache-2.0"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """One thing wrong in a declaration: where it stands and what to do."""

    file: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}"


class DeclarationError(Exception):
    """The declarations cannot be used; every fault is listed, one a line."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class UnknownLayer(Exception):
    """No layer has this id; the message lists the ones that exist."""

    def __init__(self, layer_id: str, known: list[str]) -> None:
        self.layer_id = layer_id
        self.known = known
        super().__init__(f"no layer is called {layer_id!r}; the layers are: {', '.join(known)}")
