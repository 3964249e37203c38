"""The typed model of a layer declaration (layers/<theme>/<id>.yml).

Everything that the service knows of a layer is derived from it: table, API, tiles, metadata,
checks and access. The models are frozen and refuse unknown keys, so that a misspelt key is an
error with a line number and never a silent default.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Annotated, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from shikong.layers import rules
from shikong.layers.access import AccessDecl
from shikong.layers.declared import Declared, Identifier, Text
from shikong.layers.source import SourceDecl
from shikong.layers.styles import RasterStyle, StyleDecl
from shikong.layers.workflow import Workflow, workflow_faults

OneRule = TypeVar("OneRule", bound=Declared)

FieldType = Literal["string", "integer", "number", "boolean", "date", "datetime"]
GeometryType = Literal["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]
Kind = Literal["features", "observations", "coverage", "cube", "records"]
Duration = Annotated[str, Field(pattern=r"^P(\d+D|T\d+H|T\d+M)$")]
Theme = Literal["base", "planning", "nature", "water", "culture", "catalogue"]

#: Names that every feature has besides its declared fields; a declaration may not use them.
RESERVED_FIELDS = frozenset({"id", "geom", "geometry", "valid_from", "valid_to", "origin", "release"})


class FieldDecl(Declared):
    """One attribute of a layer."""

    type: FieldType
    title: Text
    required: bool = Field(False, description="a row without a value goes to quarantine")
    key: bool = Field(False, description="names the feature in the world; unique among current rows")
    codes: Identifier | None = Field(None, description="the code list that its values come from")
    unit: str | None = Field(None, description="UCUM unit of a number, for example m2")
    indexed: bool = Field(False, description="features are often looked up by its value")
    derived: Literal["ellipsoidal_area", "ellipsoidal_length"] | None = Field(
        None, description="computed from the geometry on the CGCS2000 ellipsoid, never read from a source"
    )
    aliases: tuple[str, ...] = Field((), description="names that sources use for it, matched without case")


class TimeDecl(Declared):
    """How a layer's rows lie in time.

    With ``valid`` each row holds from ``valid_from`` until ``valid_to`` and a feature may have
    several; with ``start`` (and ``end``) the period is the feature's own, such as an event's.
    """

    valid: bool = False
    start: Identifier | None = None
    end: Identifier | None = None

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.valid == (self.start is not None):
            raise ValueError("give either `valid: true` or the field names `start` (and `end`)")
        if self.end and not self.start:
            raise ValueError("`end` needs `start`")
        return self


class TilesDecl(Declared):
    """Zoom levels (of WebMercatorQuad; other matrix sets at the same scales) at which tiles are served."""

    min_zoom: int = Field(ge=0, le=22)
    max_zoom: int = Field(ge=0, le=22)
    merged_below: int | None = Field(
        None,
        gt=0,
        le=16,
        description="below this zoom areas of one code of `style.by` are merged, and small ones with others",
    )
    appears_from: dict[str, int] = Field(
        default_factory=dict, description="codes of `style.by` that are left out below a zoom, and that zoom"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_zoom > self.max_zoom:
            raise ValueError("min_zoom is above max_zoom")
        if self.merged_below and not self.min_zoom < self.merged_below <= self.max_zoom:
            raise ValueError("merged_below is not between min_zoom and max_zoom")
        return self


#: An element of a protocol, with the class of station or message, and what its values are multiplied by.
Element = Annotated[str, Field(pattern=r"^(sl651|hj212):[0-9A-Za-z]+(/[0-9A-Za-z]+)?(\*[0-9]+(\.[0-9]+)?)?$")]


class ParameterDecl(Declared):
    """One observed property of an observations layer, or one variable of a coverage or cube."""

    title: Text
    unit: str = Field(description="UCUM unit, for example m, mm, m3/s")
    aliases: tuple[str, ...] = ()
    codes: Identifier | None = Field(None, description="the code list that its values come from, as numbers")
    cell_method: Literal["point", "sum", "mean"] = Field(
        "point",
        description="observations (CF): a value is of its time, or a sum or mean over the period that ends then",
    )
    interval: Duration | None = Field(
        None, description="observations: the period of a sum or mean (ISO 8601), for example PT1H"
    )
    range: tuple[float | None, float | None] | None = Field(
        None, description="observations: the least and the greatest value that can be; others are kept and flagged"
    )
    rise: float | None = Field(
        None, gt=0, description="observations: by how much a value can change in an hour; faster ones are flagged"
    )

    elements: tuple[Element, ...] = Field(
        (),
        description="observations: what feeds it live, for example sl651:39, sl651:3B/4B of stations of a class,"
        " hj212:w01018/2061; with a factor where the protocol has another unit: hj212:w20111/2061*0.001",
    )

    @model_validator(mode="after")
    def _has_its_period(self) -> Self:
        if (self.cell_method == "point") != (self.interval is None):
            raise ValueError("`interval` is needed by cell_method sum and mean, and only there")
        return self


class Layer(Declared):
    """A layer of the city, as declared in one YAML file."""

    id: Identifier
    title: Text
    description: Text
    theme: Theme
    steward: str = Field(description="the bureau that answers for the data")
    kind: Kind
    keywords: tuple[str, ...] = ()
    geometry: GeometryType | None = None
    fields: dict[Identifier, FieldDecl] = Field(default_factory=dict)
    parameters: dict[Identifier, ParameterDecl] = Field(default_factory=dict)
    stations: Identifier | None = Field(None, description="observations: the layer that holds the stations")
    lists: Literal["layers", "releases"] | None = Field(None, description="records: what the records are about")
    time: TimeDecl | None = None
    quality: tuple[rules.Rule, ...] = Field((), description="rules that every row must pass; a name, or a rule in full")
    tiles: TilesDecl | None = None
    style: StyleDecl | None = Field(None, description="features: how they are drawn")
    styles: dict[Identifier, RasterStyle] = Field(
        default_factory=dict, description="coverage and cube: ways to draw it, the usual one first"
    )
    access: AccessDecl
    workflow: Workflow | None = Field(None, description="features: the states that they pass through, step by step")
    attachments: bool = Field(False, description="features: whether files can be attached to them")
    source: SourceDecl | None = Field(None, description="where deliveries come from by themselves")

    @model_validator(mode="after")
    def _kind_has_its_parts(self) -> Self:
        if self.kind == "features":
            self._check_features()
        elif self.geometry or self.fields or self.style or self.workflow or self.attachments:
            raise ValueError(
                f"`geometry`, `fields`, `style`, `workflow` and `attachments` belong to kind features, not {self.kind}"
            )
        self._check_drawing()
        if (self.kind in ("observations", "coverage", "cube")) != bool(self.parameters):
            raise ValueError("`parameters` are needed by kind observations, coverage and cube, and only there")
        if (self.kind == "observations") != bool(self.stations):
            raise ValueError("`stations` is needed by kind observations, and only there")
        if self.kind == "records" and self.source:
            raise ValueError("kind records is made from the other layers and has no `source`")
        if (self.kind == "records") != bool(self.lists):
            raise ValueError("`lists` is needed by kind records, and only there")
        return self

    def _check_features(self) -> None:
        if not self.geometry or not self.fields:
            raise ValueError("kind features needs `geometry` and `fields`")
        keys = [name for name, field in self.fields.items() if field.key]
        if len(keys) != 1:
            raise ValueError(f"exactly one field must have `key: true`, found {keys or 'none'}")
        if taken := RESERVED_FIELDS & set(self.fields):
            raise ValueError(f"these field names are the service's own: {sorted(taken)}")
        for role, name in (("start", self.time and self.time.start), ("end", self.time and self.time.end)):
            if name and (name not in self.fields or self.fields[name].type not in ("date", "datetime")):
                raise ValueError(f"time.{role}: {name!r} is not a date or datetime field")
        types = {name: field.type for name, field in self.fields.items()}
        faults = [*rules.faults(self.quality, self.geometry, dict(types))]
        faults += workflow_faults(self.workflow, dict(types)) if self.workflow else []
        faults += self.access.faults(types)
        for fault in faults:
            raise ValueError(fault)
        if self.style and self.style.by:
            field = self.fields.get(self.style.by)
            if field is None or not field.codes:
                raise ValueError(f"style.by: {self.style.by!r} is not a field with `codes`")
        if self.style and self.style.label and self.style.label.field not in self.fields:
            raise ValueError(f"style.label: {self.style.label.field!r} is not a field")

    def _check_drawing(self) -> None:
        drawn = self.kind in ("coverage", "cube")
        if self.tiles and not drawn and self.kind != "features":
            raise ValueError(f"`tiles` belong to kind features, coverage and cube, not {self.kind}")
        if self.tiles and (self.tiles.merged_below or self.tiles.appears_from) and not (self.style and self.style.by):
            raise ValueError("tiles.merged_below and tiles.appears_from need `style.by`")
        if self.tiles and self.tiles.merged_below and self.geometry not in ("Polygon", "MultiPolygon"):
            raise ValueError("tiles.merged_below is for areas")
        if bool(self.styles) != (drawn and self.tiles is not None):
            raise ValueError("`styles` are needed by kind coverage and cube with `tiles`, and only there")
        for name, style in self.styles.items():
            wanted = {*(style.bands or ()), *([style.palette] if style.palette else [])}
            if unknown := wanted - set(self.parameters):
                raise ValueError(f"styles.{name}: {sorted(unknown)} are no parameters of the layer")
            if style.palette and not self.parameters[style.palette].codes:
                raise ValueError(f"styles.{name}.palette: {style.palette!r} is not a parameter with `codes`")

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def shown_at_first(self) -> bool:
        """Whether a map of all layers shows it before anybody chooses: rasters would hide the rest."""
        return self.style is not None and self.style.shown

    @property
    def key_field(self) -> str:
        """The name of the field that identifies a feature."""
        return next(name for name, field in self.fields.items() if field.key)

    def rule(self, kind: type[OneRule]) -> OneRule | None:
        """The layer's quality rule of a kind, the first of several."""
        return next((rule for rule in self.quality if isinstance(rule, kind)), None)

    def field_type(self, name: str) -> FieldType:
        """The type of a property, declared or one that every feature has."""
        if name in self.fields:
            return self.fields[name].type
        return "datetime" if name.startswith("valid_") else "string"

    @property
    def versioned(self) -> bool:
        """Whether a feature may have several versions along valid time."""
        return bool(self.time and self.time.valid)


class DatumShift(Declared):
    """Seven parameters from an older datum to CGCS2000, as the city's survey office has determined them."""

    method: Literal["position_vector", "coordinate_frame"] = Field(
        description="sense of the rotations; the same numbers mean something else in the other"
    )
    x: float = Field(description="shift of the origin, m")
    y: float
    z: float
    rx: float = Field(description="rotation, arc seconds")
    ry: float
    rz: float
    scale: float = Field(description="difference of scale, ppm")
    accuracy: float = Field(gt=0, description="accuracy of the result, m")
    source: str = Field(description="who determined the parameters and when")


class City(Declared):
    """The facts about the city that everything else shares (layers/city.yml)."""

    id: Identifier
    title: Text
    description: Text
    adcode: str
    timezone: str
    bbox: tuple[float, float, float, float] = Field(description="CRS84: west, south, east, north")
    crs: tuple[int, ...] = Field(description="EPSG codes served besides CRS84")
    publisher: Text
    contact: str
    datums: dict[Literal["xian_1980", "beijing_1954"], DatumShift] = Field(
        default_factory=dict, description="parameters to CGCS2000; sources on a datum without them are refused"
    )

    @property
    def standard_time(self) -> tzinfo:
        """The city's time without summer time, which instruments and hydrologists keep all year round: China had summer
        time from 1986 to 1991, its hydrological records had none."""
        offset = datetime(2000, 1, 1, tzinfo=ZoneInfo(self.timezone)).utcoffset()
        return timezone(offset or timedelta(0))
