"""All declarations of the city, loaded and checked against each other.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from shikong.layers import yaml_source
from shikong.layers.code_lists import CodeList, Crosswalk
from shikong.layers.conflict_rules import ConflictRule, ConflictRules, Side
from shikong.layers.declared import Text
from shikong.layers.errors import DeclarationError, Fault, UnknownLayer
from shikong.layers.model import City, Layer
from shikong.layers.rules import References

HOME = Path(__file__).parent

#: The code list whose codes are the rules of layers/conflicts.yml.
CONFLICT_RULES = "conflict_rule"

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
        listed = _classes(self.layers[side.layer], self.codes)
        if listed is None or not (side.classes or side.group):
            return None
        if side.group:
            return frozenset(code for code in listed.codes if listed.group_of(code) == side.group)
        return frozenset(code for code in listed.codes if any(listed.within(code, top) for top in side.classes))


def load(home: Path = HOME) -> Catalog:
    """Load every declaration below ``home``.

    Raises DeclarationError with the faults of all files together.
    """
    faults: list[Fault] = []
    codes: dict[str, CodeList] = {}
    crosswalks: dict[str, Crosswalk] = {}
    layers: dict[str, Layer] = {}
    city: City | None = None
    conflicts = ConflictRules(rules={})
    for path in sorted(home.rglob("*.yml")):
        try:
            if path == home / "city.yml":
                city = yaml_source.read(path, City)
            elif path == home / "conflicts.yml":
                conflicts = yaml_source.read(path, ConflictRules)
                codes[CONFLICT_RULES] = conflict_codes(conflicts)
            elif path.parent.name == "codes":
                faults += _keep(path, yaml_source.read(path, CodeList), codes)
            elif path.parent.name == "crosswalks":
                crosswalk = yaml_source.read(path, Crosswalk)
                faults += _keep(path, crosswalk, crosswalks)
                faults += _crosswalk_faults(path, crosswalk, codes)  # codes/ comes before crosswalks/
            else:
                layer = yaml_source.read(path, Layer)
                faults += _keep(path, layer, layers)
                if path.parent.name != layer.theme:
                    faults.append(Fault(path, 1, "theme", f"is {layer.theme!r}; the file lies in {path.parent.name}/"))
        except DeclarationError as error:
            faults += error.faults
    if city is None and not any(fault.file.name == "city.yml" for fault in faults):
        faults.append(Fault(home / "city.yml", 1, "(file)", "is missing"))
    faults += [fault for layer in layers.values() for fault in _reference_faults(home, layer, layers, codes)]
    faults += _rule_faults(home / "conflicts.yml", conflicts, layers, codes)
    if faults or city is None:
        raise DeclarationError(faults)
    order = {
        theme: index for index, theme in enumerate(("base", "planning", "nature", "water", "culture", "catalogue"))
    }
    ranked = sorted(layers.values(), key=lambda layer: (order[layer.theme], layer.id))
    return Catalog(city, {layer.id: layer for layer in ranked}, codes, crosswalks, conflicts)


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


def _reference_faults(
    home: Path, layer: Layer, layers: dict[str, Layer], codes: dict[str, CodeList]
) -> Iterator[Fault]:
    path = home / layer.theme / f"{layer.id}.yml"
    yield from _code_faults(path, layer, codes)
    for number, rule in enumerate(layer.quality):
        target = getattr(rule, "layer", None)
        if target is None:
            continue
        if target not in layers or layers[target].kind != "features":
            yield Fault(path, 1, f"quality.{number}.layer", f"{target!r} is not a layer of features")
        elif isinstance(rule, References) and rule.to not in layers[target].fields:
            yield Fault(path, 1, f"quality.{number}.to", f"{target} has no field {rule.to!r}")
    if layer.stations and (layer.stations not in layers or layers[layer.stations].geometry != "Point"):
        yield Fault(path, 1, "stations", f"{layer.stations!r} is not a layer of points")
    if layer.source and layer.source.folder:
        same = [other.id for other in layers.values() if other.source and other.source.folder == layer.source.folder]
        if len(same) > 1:
            yield Fault(path, 1, "source.folder", f"is watched for {', '.join(same)}; each layer needs its own")


def _code_faults(path: Path, layer: Layer, codes: dict[str, CodeList]) -> Iterator[Fault]:
    named = {f"fields.{name}": field.codes for name, field in layer.fields.items()}
    named |= {f"parameters.{name}": parameter.codes for name, parameter in layer.parameters.items()}
    for place, name in named.items():
        if name and name not in codes:
            yield Fault(path, 1, f"{place}.codes", f"no code list {name!r}; known: {sorted(codes)}")
    if layer.tiles and layer.style and layer.style.by:
        listed = codes.get(layer.fields[layer.style.by].codes or "")
        if unknown := set(layer.tiles.appears_from) - set(listed.codes if listed else ()):
            yield Fault(path, 1, "tiles.appears_from", f"{sorted(unknown)} are no codes of {layer.style.by}")


def _crosswalk_faults(path: Path, crosswalk: Crosswalk, codes: dict[str, CodeList]) -> Iterator[Fault]:
    named = {"from": crosswalk.from_list, "to": crosswalk.to_list}
    if unknown := {place: name for place, name in named.items() if name not in codes}:
        for place, name in unknown.items():
            yield Fault(
                path, yaml_source.line_of(path, (place,)), place, f"no code list {name!r}; known: {sorted(codes)}"
            )
        return
    known, told = codes[crosswalk.from_list].codes, codes[crosswalk.to_list].codes
    for code, counterpart in crosswalk.codes.items():
        for name, listed, value in (("from", known, code), ("to", told, counterpart)):
            if value not in listed:
                line = yaml_source.line_of(path, ("codes", code))
                yield Fault(path, line, f"codes.{code}", f"{value!r} is no code of {named[name]}")
    if missing := [code for code in known if code not in crosswalk.codes]:
        line = yaml_source.line_of(path, ("codes",))
        yield Fault(path, line, "codes", f"these codes of {crosswalk.from_list} have no counterpart: {missing}")


def conflict_codes(conflicts: ConflictRules) -> CodeList:
    """The rules as a code list, which is how a conflict names its rule."""
    codes = {
        name: {"title": rule.title, "color": _SEVERITY_COLOURS[rule.severity]} for name, rule in conflicts.rules.items()
    }
    title = Text(zh="冲突规则", en="Conflict rule")
    return CodeList.model_validate(
        {"id": CONFLICT_RULES, "title": title, "system": "layers/conflicts.yml", "codes": codes}
    )


def _classes(layer: Layer, codes: dict[str, CodeList]) -> CodeList | None:
    """The code list by which a layer's features are classed: that of the field by which they are drawn."""
    by = layer.style.by if layer.style else None
    return codes.get(layer.fields[by].codes or "") if by else None


def _rule_faults(
    path: Path, conflicts: ConflictRules, layers: dict[str, Layer], codes: dict[str, CodeList]
) -> Iterator[Fault]:
    for name, rule in conflicts.rules.items():
        for place, problem in _faults_of_rule(rule, layers, codes):
            at = ("rules", name, *place)
            yield Fault(path, yaml_source.line_of(path, at), ".".join(at), problem)


def _faults_of_rule(
    rule: ConflictRule, layers: dict[str, Layer], codes: dict[str, CodeList]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with a rule: where, and what."""
    for name, side in (("a", rule.a), ("b", rule.b)):
        layer = layers.get(side.layer)
        if layer is None or "Polygon" not in (layer.geometry or ""):
            yield (name, "layer"), f"{side.layer!r} is not a layer of surfaces"
            continue
        listed = _classes(layer, codes)
        known: set[str] = set(listed.codes) if listed else set()
        if unknown := [code for code in side.classes if code not in known]:
            yield (name, "classes"), f"{unknown} are no classes of {layer.id}; classes: {sorted(known)}"
        if side.group and (listed is None or side.group not in listed.groups):
            groups = sorted(listed.groups) if listed else []
            yield (name, "group"), f"{side.group!r} is no group of the classes of {layer.id}; groups: {groups}"
        number = rule.limit and (rule.limit.value if name == "a" else rule.limit.bound)
        if number and (number not in layer.fields or layer.fields[number].type not in ("number", "integer")):
            yield ("limit",), f"{number!r} is not a number field of {layer.id}"
