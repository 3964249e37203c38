"""What declarations say of each other: whether the layers, fields, codes and lists that they name are there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError
from pathlib import Path
from typing import get_args

from shikong.layers import yaml_source
from shikong.layers.code_lists import CodeList, Crosswalk
from shikong.layers.conflict_rules import ConflictRule, ConflictRules, Side
from shikong.layers.coordination import Coordination
from shikong.layers.errors import Fault
from shikong.layers.find_rules import Measure, SiteFind
from shikong.layers.forecasts import Forecasts
from shikong.layers.model import Layer
from shikong.layers.rules import References
from shikong.layers.site_rules import SiteCheck, SiteRule
from shikong.layers.warning_rules import WarningRules


def of_layer(home: Path, layer: Layer, layers: dict[str, Layer], codes: dict[str, CodeList]) -> Iterator[Fault]:
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
    for place, problem in _workflow_faults(layer, layers, codes):
        yield Fault(path, 1, f"workflow.{place}", problem)
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


def _workflow_faults(layer: Layer, layers: dict[str, Layer], codes: dict[str, CodeList]) -> Iterator[tuple[str, str]]:
    """What in a workflow does not fit the code lists and the other layers: where, and what."""
    if layer.workflow is None:
        return
    listed = codes.get(layer.fields[layer.workflow.field].codes or "")
    if listed is None:
        yield "field", f"{layer.workflow.field!r} is not a field with `codes`: its code list has the states"
        return
    for name, step in layer.workflow.steps.items():
        if unknown := sorted({*step.when, step.to} - set(listed.codes)):
            yield f"steps.{name}", f"{unknown} are no states; states: {sorted(listed.codes)}"
        for place, related in (("within", step.within), ("every", step.every)):
            other = layers.get(related.layer) if related else None
            if related is None:
                continue
            if other is None or other.workflow is None:
                yield f"steps.{name}.{place}", f"{related.layer!r} is not a layer with a workflow"
                continue
            if place == "every" and related.by not in other.fields:
                yield f"steps.{name}.every", f"{related.by!r} is not a field of {other.id}"
            states = codes.get(other.fields[other.workflow.field].codes or "")
            if unknown := sorted(set(related.states) - set(states.codes if states else ())):
                yield f"steps.{name}.{place}", f"{unknown} are no states of {other.id}"


def of_coordination(
    coordination: Coordination | None, layers: dict[str, Layer], codes: dict[str, CodeList]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What in the rules whom to ask does not fit the layers and code lists: where, and what."""
    if coordination is None:
        return
    for place, name in (("cases", coordination.cases), ("opinions", coordination.opinions)):
        if name not in layers or layers[name].workflow is None:
            yield (place,), f"{name!r} is not a layer with a workflow"
            return
    opinions = layers[coordination.opinions]
    known = codes[opinions.fields["department"].codes or ""].codes if "department" in opinions.fields else {}
    if unknown := [name for name in (*coordination.always, *coordination.concerns) if name not in known]:
        yield ("concerns",), f"{unknown} are no departments; departments: {sorted(known)}"
    for department, concerned in coordination.concerns.items():
        if unknown := [name for name in concerned if name not in layers]:
            yield ("concerns", department), f"{unknown} are no layers"


def of_warnings(rules: WarningRules | None, layers: dict[str, Layer]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What in the rules for warnings does not fit the layers: where, and what."""
    if rules is None:
        return
    observed = layers.get(rules.layer)
    if observed is None or observed.kind != "observations":
        yield ("layer",), f"{rules.layer!r} is not a layer of observations"
        return
    if rules.published_as not in layers or layers[rules.published_as].workflow is None:
        yield ("published_as",), f"{rules.published_as!r} is not a layer with a workflow"
    fields = layers[observed.stations or ""].fields
    for name, rule in rules.rules.items():
        if unknown := [one for one in rule.measured.parameter if one not in observed.parameters]:
            yield ("rules", name, "measured", "parameter"), f"{unknown} are no parameters of {observed.id}"
        for level, bound in rule.limits.items():
            if bound.field and (bound.field not in fields or fields[bound.field].type != "number"):
                yield ("rules", name, "limits", level), f"{bound.field!r} is not a number field of {observed.stations}"
    yield from _of_joint(rules, observed, layers)


def _of_joint(rules: WarningRules, observed: Layer, layers: dict[str, Layer]) -> Iterator[tuple[tuple[str, ...], str]]:
    fields = layers[observed.stations or ""].fields
    for name, joint in rules.joint.items():
        if joint.by not in fields:
            yield ("joint", name, "by"), f"{joint.by!r} is not a field of {observed.stations}"
        if (named := joint.names) and (named.layer not in layers or named.field not in layers[named.layer].fields):
            yield ("joint", name, "names"), f"there is no layer {named.layer!r} with a field {named.field!r}"


#: The parameters that the layers of forecasts have.
_FORECAST_LAYERS = {"layer": {"z", "q", "drp"}, "rain": {"drp"}, "published_as": {"z", "q", "arp"}}

#: The fields that the layer of warnings ahead has besides those of warnings.
_WARNED = {"issue", "expected_at", "gravest_at", "lifted_at"}


def of_forecasts(forecasts: Forecasts, layers: dict[str, Layer]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What in the declared forecasts does not fit the layers or each other: where, and what."""
    observed = layers.get(forecasts.layer)
    for place, needed in _FORECAST_LAYERS.items():
        layer = layers.get(getattr(forecasts, place))
        if layer is None or layer.kind != "observations" or not needed <= layer.parameters.keys():
            yield (place,), f"{getattr(forecasts, place)!r} is not a layer of observations with {sorted(needed)}"
        elif observed is not None and layer.stations != observed.stations:
            yield (place,), f"{layer.id} has other stations than {observed.id}"
    warned = layers.get(forecasts.warnings)
    if warned is None or warned.kind != "features" or not warned.fields.keys() >= _WARNED:
        yield ("warnings",), f"{forecasts.warnings!r} is not a layer of features with {sorted(_WARNED)}"
    for code, station in forecasts.stations.items():
        if unknown := [reach.station for reach in station.upstream if reach.station not in forecasts.stations]:
            yield ("stations", code, "upstream"), f"{unknown} have no forecast; there are: {sorted(forecasts.stations)}"
            return
    try:
        forecasts.order()
    except CycleError as error:
        yield ("stations",), f"each of these is upstream of the next: {error.args[1]}"


def of_crosswalk(path: Path, crosswalk: Crosswalk, codes: dict[str, CodeList]) -> Iterator[Fault]:
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


def classes(layer: Layer, by: str | None, codes: dict[str, CodeList]) -> CodeList | None:
    """The code list of a field that classes a layer's features. by: the field; else that by which they are drawn."""
    by = by or (layer.style.by if layer.style else None)
    return codes.get(layer.fields[by].codes or "") if by and by in layer.fields else None


def of_conflict_rules(
    conflicts: ConflictRules, layers: dict[str, Layer], codes: dict[str, CodeList], crosswalks: dict[str, Crosswalk]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What in rules does not fit the layers and code lists: where, as keys from the top, and what."""
    for name, rule in conflicts.rules.items():
        for place, problem in _faults_of_rule(rule, layers, codes, crosswalks):
            yield ("rules", name, *place), problem


def _faults_of_rule(
    rule: ConflictRule, layers: dict[str, Layer], codes: dict[str, CodeList], crosswalks: dict[str, Crosswalk]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with a rule: where, and what."""
    listed: dict[str, CodeList | None] = {}
    for name, side in (("a", rule.a), ("b", rule.b)):
        layer = layers.get(side.layer)
        if layer is None or "Polygon" not in (layer.geometry or ""):
            yield (name, "layer"), f"{side.layer!r} is not a layer of surfaces"
            continue
        if side.by and (side.by not in layer.fields or not layer.fields[side.by].codes):
            yield (name, "by"), f"{side.by!r} is not a field of {layer.id} with `codes`"
            continue
        listed[name] = classes(layer, side.by, codes)
        for place, problem in _faults_of_side(side, listed[name]):
            yield (name, *place), problem
        number = rule.value if name == "a" else rule.bound
        if number and (number not in layer.fields or layer.fields[number].type not in ("number", "integer")):
            yield ("limit",), f"{number!r} is not a number field of {layer.id}"
    if rule.differing and len(listed) == 2:
        a, b = listed["a"], listed["b"]
        led = {(crosswalk.from_list, crosswalk.to_list) for crosswalk in crosswalks.values()}
        if a is None or b is None or (a.id != b.id and (a.id, b.id) not in led):
            yield ("differing",), "needs classes on both sides, of one code list or with a crosswalk from A's to B's"


def _faults_of_side(side: Side, listed: CodeList | None) -> Iterator[tuple[tuple[str, ...], str]]:
    known: set[str] = set(listed.codes) if listed else set()
    if unknown := [code for code in side.classes if code not in known]:
        yield ("classes",), f"{unknown} are no classes of {side.layer}; classes: {sorted(known)}"
    if side.group and (listed is None or side.group not in listed.groups):
        groups = sorted(listed.groups) if listed else []
        yield ("group",), f"{side.group!r} is no group of the classes of {side.layer}; groups: {groups}"


def of_site_check(
    check: SiteCheck | None, layers: dict[str, Layer], codes: dict[str, CodeList], unread: set[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What in the rules of the site check does not fit the layers and code lists: where, and what.

    unread: layers whose own faults are told already.
    """
    if check is None:
        return
    for place, name in (("plots", check.plots), ("quotas", check.quotas)):
        if name not in layers:
            yield (place,), f"{name!r} is not a layer"
    drawn = unread | {layer.id for layer in layers.values() if layer.style is not None}
    if unknown := [name for name in check.map if name not in drawn]:
        yield ("map",), f"{unknown} are no layers that are drawn"
    fields = layers[check.plots].fields if check.plots in layers else {}
    if unknown := [name for name in check.indicators if fields and name not in fields]:
        yield ("indicators",), f"{unknown} are no fields of {check.plots}"
    projects = codes[check.projects].codes if check.projects in codes else None
    if projects is None:
        yield ("projects",), f"no code list {check.projects!r}"
    for name, rule in check.rules.items():
        for where, problem in _faults_of_site_rule(rule, set(projects or ()), layers, codes):
            yield ("rules", name, *where), problem


def _faults_of_site_rule(
    rule: SiteRule, projects: set[str], layers: dict[str, Layer], codes: dict[str, CodeList]
) -> Iterator[tuple[tuple[str, ...], str]]:
    layer = layers.get(rule.land.layer)
    if layer is None or "Polygon" not in (layer.geometry or ""):
        yield ("land", "layer"), f"{rule.land.layer!r} is not a layer of surfaces"
        return
    listed = classes(layer, rule.land.by, codes)
    for place, problem in _faults_of_side(rule.land, listed):
        yield ("land", *place), problem
    for key, named in (("eased", rule.eased), ("only", rule.only), ("spared", rule.spared), ("fits", rule.fits)):
        if projects and (unknown := [project for project in named if project not in projects]):
            yield (key,), f"{unknown} are no project types; types: {sorted(projects)}"
    for project, fitting in rule.fits.items():
        if unknown := [code for code in fitting if listed is None or code not in listed.codes]:
            yield ("fits", project), f"{unknown} are no classes of {layer.id}"


def of_site_find(
    find: SiteFind | None, check: SiteCheck | None, layers: dict[str, Layer], codes: dict[str, CodeList]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What in the rules of site finding does not fit the layers, code lists and rules of the check: where, and what."""
    if find is None:
        return
    yield from _faults_of_layers(find, layers, codes)
    crops = Side.model_validate({"layer": find.parcels, "classes": find.cropland})
    if find.parcels in layers:
        for _, problem in _faults_of_side(crops, classes(layers[find.parcels], None, codes)):
            yield ("cropland",), problem
    rules = check.rules if check else {}
    if unknown := [name for name in find.taken if name not in rules]:
        yield ("taken",), f"{unknown} are no rules of site_check.yml; rules: {sorted(rules)}"
    if missing := [name for name in get_args(Measure) if name not in find.criteria]:
        yield ("criteria",), f"{missing} are missing"


def _faults_of_layers(
    find: SiteFind, layers: dict[str, Layer], codes: dict[str, CodeList]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in ("zones", "plots", "parcels"):
        layer = layers.get(getattr(find, name))
        if layer is None or "Polygon" not in (layer.geometry or "") or classes(layer, None, codes) is None:
            yield (name,), f"{getattr(find, name)!r} is not a layer of surfaces with classes"
    if find.terrain not in layers or layers[find.terrain].kind != "coverage":
        yield ("terrain",), f"{find.terrain!r} is not a coverage"
    for where, side in find.sides.items():
        layer = layers.get(side.layer)
        if layer is None or layer.kind != "features":
            yield (*where.split("."), "layer"), f"{side.layer!r} is not a layer of features"
            continue
        for place, problem in _faults_of_side(side, classes(layer, side.by, codes)):
            yield (*where.split("."), *place), problem
