"""Where a layer's deliveries come from by themselves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from croniter import croniter
from pydantic import AfterValidator, Field, model_validator

from shikong.layers.declared import Declared, Identifier


def _cron(text: str) -> str:
    if len(text.split()) != 5 or not croniter.is_valid(text):
        raise ValueError(f"{text!r} is no cron expression: minute hour day month weekday, such as `0 3 * * *`")
    return text


def _below_data(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{text!r} must be a path below the data folder, such as inbox/parcels")
    return text


def _single_file(text: str) -> str:
    if "/" in text or "." not in text or text.lower().endswith(".shp"):
        raise ValueError(f"{text!r} must name single files, such as *.zip or *.gpkg; a shapefile comes zipped")
    return text


class SourceDecl(Declared):
    """Where deliveries come from by themselves: an address that is asked at set times, or a folder that is watched.

    The other keys say of each delivery what `shikong ingest` would be told of a file.
    """

    url: str | None = Field(
        None, description="address of a file, a feature service or a PostGIS table; needs `schedule`"
    )
    schedule: Annotated[str, AfterValidator(_cron)] | None = Field(
        None, description="cron expression in the city's time zone: minute hour day month weekday"
    )
    folder: Annotated[str, AfterValidator(_below_data)] | None = Field(
        None, description="folder below the data folder that is watched; needs `pattern`"
    )
    pattern: Annotated[str, AfterValidator(_single_file)] | None = Field(
        None, description="names of the files that are taken, for example *.zip"
    )
    crs: str | None = Field(None, description="the CRS of sources that do not say theirs, for example EPSG:4527")
    datum: Literal["gcj02"] | None = Field(None, description="coordinates carry the shift of Chinese web maps")
    source_layer: str | None = Field(None, description="the layer inside the source, when it has several")
    fields: dict[Identifier, str] = Field(default_factory=dict, description="field: column, when names differ")
    swap_axes: bool = Field(False, description="the source has y (latitude) before x")
    valid_from: Literal["file-date", "file-name"] | None = Field(
        None, description="with `time.valid`: the rows hold from the day of the file's last change or in its name"
    )
    update: bool = Field(False, description="a delivery adds and changes only; it ends nothing")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.folder is None):
            raise ValueError("give either `url` and `schedule`, or `folder` and `pattern`")
        if (self.url is None) != (self.schedule is None) or (self.folder is None) != (self.pattern is None):
            raise ValueError("`url` needs `schedule`, and `folder` needs `pattern`")
        return self
