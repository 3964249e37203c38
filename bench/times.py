"""How long each kind of work took, in several rounds.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

_ERR = Console(stderr=True)


@dataclass
class Times:
    """Seconds that each kind of work took, one entry a round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Take the time of what is done inside."""
        begun = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - begun)
        _ERR.print(f"[cyan]▸[/] {name}: {self.seconds[name][-1]:.2f} s")

    def best(self, name: str) -> float:
        """The quickest round."""
        return min(self.seconds[name])
