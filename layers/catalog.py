"""All declarations of the city, loaded and checked against each other.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from shikong.layers import references, yaml_source
from shikong.layers.code_lists import CodeList, Crosswalk
from shikong.layers.conflict_rules import ConflictRules, Side
from shikong.layers.coordination import Coordination
from shikong.layers.declared import Declared, Text
from shikong.layers.errors import DeclarationError, Fault, UnknownLayer
from shikong.layers.find_rules import SiteFind
from shikong.layers.forecasts import Forecasts
from shikong.layers.model import City, Layer
from shikong.layers.reservoirs import Reservoirs
from shikong.layers.site_rules import SiteCheck
from shikong.layers.warning_rules import WarningRules

HOME = Path(__file__).parent

#: The code list whose codes are the rules of layers/conflicts.yml.
CONFLICT_RULES = "conflict_rule"

#: The declarations that are one file each.
_ALONE: dict[str, type[Declared]] = {
    "city.yml": City, "conflicts.yml": ConflictRules, "site_check.yml": SiteCheck, "site_find.yml": SiteFind,
    "coordination.yml": Coordination, "warning_rules.yml": WarningRules, "reservoirs.yml": Reservoirs,
    "forecasts.yml": Forecasts,
}  # fmt: skip

_SEVERITY_COLOURS = {"high": "#C81E1E", "medium": "#E87B16", "low": "#E3C62B"}

Named = TypeVar("Named", Layer, CodeList, Crosswalk)


@dataclass(frozen=True)
class Catalog:
    """The city, its layers, its code lists and the crosswalks between them, by id."""

    city: City
    layers: dict[str, Layer]
    codes: dict[str, CodeList]
    crosswalks: dict[str, Crosswalk] = field(default_factory=dict)
    conflicts: ConflictRules = field(default_factory=lambda: ConflictRules(rules={}))
    site_check: SiteCheck | None = None
    site_find: SiteFind | None = None
    coordination: Coordination | None = None
    warning_rules: WarningRules | None = None
    reservoirs: Reservoirs = field(default_factory=Reservoirs)
    forecasts: Forecasts = field(default_factory=Forecasts)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    def layer(self, layer_id: str) -> Layer:
        """The layer with this id. Raises UnknownLayer."""
        try:
            return self.layers[layer_id]
        except KeyError:
            raise UnknownLayer(layer_id, sorted(self.layers)) from None

    def classes_of(self, side: Side) -> frozenset[str] | None:
        """The codes of the features that a side of a conflict rule is about; None for all features."""
        listed = references.classes(self.layers[side.layer], side.by, self.codes)
        if listed is None or not (side.classes or side.group):
            return None
        if side.group:
            return frozenset(code for code in listed.codes if listed.group_of(code) == side.group)
        tops = set(side.classes)
        return frozenset(code for code in listed.codes if not tops.isdisjoint((code, *listed.ancestors(code))))

    def class_field(self, side: Side) -> tuple[str | None, str | None]:
        """The field that classes a side's features, and the code list of its codes; None where there is none."""
        layer = self.layers[side.layer]
        by = side.by or (layer.style.by if layer.style else None)
        return by, layer.fields[by].codes if by else None

    def tops(self, from_list: str, to_list: str) -> dict[str, str]:
        """For each code of a list the top code of another (or the same) that it lies below; a crosswalk leads there."""
        listed = self.codes[to_list]
        across: dict[str, str] = {code: code for code in self.codes[from_list].codes}
        if from_list != to_list:
            pair = from_list, to_list
            across = next(c.codes for c in self.crosswalks.values() if (c.from_list, c.to_list) == pair)
        return {code: (counterpart, *listed.ancestors(counterpart))[-1] for code, counterpart in across.items()}


def load(home: Path = HOME) -> Catalog:
    """Load every declaration below ``home``.

    Raises DeclarationError with the faults of all files together.
    """
    found = _Found(home)
    for path in sorted(home.rglob("*.yml")):
        try:
            found.take(path)
        except DeclarationError as error:
            found.faults += error.faults
    if found.city is None and not any(fault.file.name == "city.yml" for fault in found.faults):
        found.faults.append(Fault(home / "city.yml", 1, "(file)", "is missing"))
    found.check_references()
    if found.faults or found.city is None:
        raise DeclarationError(found.faults)
    order = {
        theme: index for index, theme in enumerate(("base", "planning", "nature", "water", "culture", "catalogue"))
    }
    ranked = sorted(found.layers.values(), key=lambda layer: (order[layer.theme], layer.id))
    layers = {layer.id: layer for layer in ranked}
    return Catalog(
        found.city,
        layers,
        found.codes,
        found.crosswalks,
        found.conflicts,
        found.site_check,
        found.site_find,
        found.coordination,
        found.warning_rules,
        found.reservoirs,
        found.forecasts,
    )


@dataclass
class _Found:
    """What has been read so far, and what is wrong with it."""

    home: Path
    city: City | None = None
    layers: dict[str, Layer] = field(default_factory=dict)
    codes: dict[str, CodeList] = field(default_factory=dict)
    crosswalks: dict[str, Crosswalk] = field(default_factory=dict)
    conflicts: ConflictRules = field(default_factory=lambda: ConflictRules(rules={}))
    site_check: SiteCheck | None = None
    site_find: SiteFind | None = None
    coordination: Coordination | None = None
    warning_rules: WarningRules | None = None
    reservoirs: Reservoirs = field(default_factory=Reservoirs)
    forecasts: Forecasts = field(default_factory=Forecasts)
    faults: list[Fault] = field(default_factory=list)

    def take(self, path: Path) -> None:
        """Read one file. Raises DeclarationError."""
        alone = _ALONE.get(path.name) if path.parent == self.home else None
        if alone is not None:
            setattr(self, path.stem, yaml_source.read(path, alone))
            if alone is ConflictRules:
                self.codes[CONFLICT_RULES] = conflict_codes(self.conflicts)
        elif path.parent.name == "codes":
            self.faults += _keep(path, yaml_source.read(path, CodeList), self.codes)
        elif path.parent.name == "crosswalks":
            crosswalk = yaml_source.read(path, Crosswalk)
            self.faults += _keep(path, crosswalk, self.crosswalks)
            self.faults += references.of_crosswalk(path, crosswalk, self.codes)  # codes/ comes before crosswalks/
        else:
            layer = yaml_source.read(path, Layer)
            self.faults += _keep(path, layer, self.layers)
            if path.parent.name != layer.theme:
                told = f"is {layer.theme!r}; the file lies in {path.parent.name}/"
                self.faults.append(Fault(path, 1, "theme", told))

    def check_references(self) -> None:
        """Look whether what the files name is there."""
        unread = {fault.file.stem for fault in self.faults}
        for layer in self.layers.values():
            self.faults += references.of_layer(self.home, layer, self.layers, self.codes)
        matrix = self.home / "conflicts.yml"
        for place, problem in references.of_conflict_rules(self.conflicts, self.layers, self.codes, self.crosswalks):
            self.faults.append(Fault(matrix, yaml_source.line_of(matrix, place), ".".join(place), problem))
        checks = self.home / "site_check.yml"
        for place, problem in references.of_site_check(self.site_check, self.layers, self.codes, unread):
            self.faults.append(Fault(checks, yaml_source.line_of(checks, place), ".".join(place), problem))
        if unread:  # what follows names layers of all themes: one that could not be read would be told of once more
            return
        finding, whom = self.home / "site_find.yml", self.home / "coordination.yml"
        for place, problem in references.of_site_find(self.site_find, self.site_check, self.layers, self.codes):
            self.faults.append(Fault(finding, yaml_source.line_of(finding, place), ".".join(place), problem))
        for place, problem in references.of_coordination(self.coordination, self.layers, self.codes):
            self.faults.append(Fault(whom, yaml_source.line_of(whom, place), ".".join(place), problem))
        warning = self.home / "warning_rules.yml"
        for place, problem in references.of_warnings(self.warning_rules, self.layers):
            self.faults.append(Fault(warning, yaml_source.line_of(warning, place), ".".join(place), problem))
        ahead = self.home / "forecasts.yml"
        for place, problem in references.of_forecasts(self.forecasts, self.layers):
            self.faults.append(Fault(ahead, yaml_source.line_of(ahead, place), ".".join(place), problem))


@cache
def default() -> Catalog:
    """The declarations that ship with the service, loaded once."""
    return load()


def _keep(path: Path, declared: Named, known: dict[str, Named]) -> list[Fault]:
    """Keep a declaration under its id, and tell what is wrong with the id."""
    faults = []
    if declared.id != path.stem:
        faults.append(Fault(path, 1, "id", f"is {declared.id!r}, but the file is called {path.name}"))
    if declared.id in known:
        faults.append(Fault(path, 1, "id", f"{declared.id!r} is declared twice"))
    known[declared.id] = declared
    return faults


def conflict_codes(conflicts: ConflictRules) -> CodeList:
    """The rules as a code list, which is how a conflict names its rule."""
    codes = {
        name: {"title": rule.title, "color": _SEVERITY_COLOURS[rule.severity]} for name, rule in conflicts.rules.items()
    }
    title = Text(zh="冲突规则", en="Conflict rule")
    return CodeList.model_validate(
        {"id": CONFLICT_RULES, "title": title, "system": "layers/conflicts.yml", "codes": codes}
    )
