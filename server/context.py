"""What a request's handlers share: the parts of the running service.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shikong.layers.catalog import Catalog
from shikong.server.settings import Editing
from shikong.store.database import Database

if TYPE_CHECKING:
    from shikong.server.caching import Caching
    from shikong.server.exports import Exports
    from shikong.server.metadata import Metadata
    from shikong.server.pages import Pages
    from shikong.server.tile_answers import TileAnswers
    from shikong.tiles.overview_work import OverviewMaker


@dataclass(frozen=True)
class Context:
    """The running service. `api` is pygeoapi's API object. editing: as the operator has set it.

    described: the OpenAPI document in version 3.1 and in 3.0.
    """

    api: Any
    database: Database
    catalog: Catalog
    metadata: Metadata
    pages: Pages
    exports: Exports
    caching: Caching
    tiles: TileAnswers
    overviews: OverviewMaker
    described: tuple[bytes, bytes]
    editing: Editing = "off"

    @property
    def base_url(self) -> str:
        """The public address, without a slash at its end."""
        return str(self.api.base_url)
