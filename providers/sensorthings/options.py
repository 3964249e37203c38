"""What is asked of entities: `$filter`, `$orderby`, `$select`, `$expand` and paging, read against their description.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shikong.providers.errors import BadParameter, UnknownParameter
from shikong.providers.sensorthings import syntax
from shikong.providers.sensorthings.entities import ENTITIES, Entity, Relation
from shikong.providers.sensorthings.syntax import Node

#: Entities on a page: usual, most; most that can be passed over; levels and relations of `$expand`.
DEFAULT_TOP, MAX_TOP, MAX_SKIP, MAX_LEVELS, MAX_EXPANDED = 100, 10_000, 100_000, 4, 12

NAMES = ("$filter", "$orderby", "$select", "$expand", "$top", "$skip", "$count")


@dataclass(frozen=True)
class Options:
    """What is asked of a set of entities; of one, what it shall tell.

    order: values, each with whether it falls. select: what is told, None all. expand: what comes with each.
    given: the options as they came.
    """

    filter: Node | None = None
    order: tuple[tuple[Node, bool], ...] = ()
    select: tuple[str, ...] | None = None
    expand: Mapping[str, Options] = field(default_factory=dict)
    top: int | None = None
    skip: int = 0
    count: bool = False
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many entities a page has at most."""
        return DEFAULT_TOP if self.top is None else min(self.top, MAX_TOP)


def read(entity: Entity, given: Mapping[str, str], level: int = 0) -> Options:
    """The options of a request, or those within `$expand`. Raises BadParameter."""
    for name in given:
        if name not in NAMES:
            raise UnknownParameter(name, NAMES)
    found = Options(
        given=given,
        order=syntax.parse_order(given["$orderby"]) if "$orderby" in given else (),
        filter=syntax.parse_filter(given["$filter"]) if "$filter" in given else None,
        top=_whole("$top", given["$top"], 10**9) if "$top" in given else None,
        skip=_whole("$skip", given["$skip"], MAX_SKIP) if "$skip" in given else 0,
        count=_flag(given.get("$count", "false")),
    )
    if "$select" in given:
        found = replace(found, select=_selected(entity, given["$select"]))
    if "$expand" in given:
        found = replace(found, expand=_expanded(entity, given["$expand"], level + 1))
    return found


def _whole(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= most):
        raise BadParameter(name, f"{text[:40]!r} is no number from 0 to {most}", [f"a whole number from 0 to {most}"])
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise BadParameter("$count", f"{text[:40]!r} is neither true nor false", ["true", "false"])
    return text == "true"


def _selected(entity: Entity, text: str) -> tuple[str, ...]:
    allowed = ("id", "@iot.id", "@iot.selfLink", *entity.shown, *entity.relations)
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in found:
        if name not in allowed:
            raise BadParameter("$select", f"{name[:40]!r} is no property of {entity.name}", allowed)
    return found


def _expanded(entity: Entity, text: str, level: int) -> dict[str, Options]:
    if len(text) > syntax.MAX_LENGTH:
        raise BadParameter("$expand", f"has {len(text)} characters", [f"at most {syntax.MAX_LENGTH}"])
    if level > MAX_LEVELS:
        raise BadParameter("$expand", "is too deep", [f"at most {MAX_LEVELS} levels"])
    found: dict[str, Options] = {}
    for part in _split(text, ","):
        path, inside = _with_options(part.strip())
        first, _, further = path.partition("/")
        relation = relation_of(entity, first)
        given = {"$expand": f"{further}({inside})" if inside else further} if further else _options_of(inside)
        try:
            options = read(ENTITIES[relation.target], given, level)
        except BadParameter as error:
            raise BadParameter("$expand", f"in {first}: {error.parameter}: {error.problem}", error.allowed) from error
        if first in found and not further:
            raise BadParameter("$expand", f"has {first} twice", [f"{first} once"])
        found[first] = options if first not in found else _both(found[first], options)
    if len(found) > MAX_EXPANDED:
        raise BadParameter("$expand", f"has {len(found)} relations", [f"at most {MAX_EXPANDED}"])
    return found


def _both(known: Options, more: Options) -> Options:
    """The options of a relation that comes twice: `Datastreams,Datastreams/Sensor`."""
    further = ",".join(each.given["$expand"] for each in (known, more) if "$expand" in each.given)
    return replace(known, expand={**known.expand, **more.expand}, given={**known.given, "$expand": further})


def relation_of(entity: Entity, name: str) -> Relation:
    """What a name leads to. Raises BadParameter."""
    if name not in entity.relations:
        raise BadParameter("$expand", f"{entity.name} lead to no {name[:40]!r}", entity.relations)
    return entity.relations[name]


def _options_of(inside: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _split(inside, ";") if inside.strip() else ():
        name, equals, value = part.strip().partition("=")
        if not equals or name in found:
            raise BadParameter(name[:40] or "()", "is no option, or is given twice", [f"{name}=…" for name in NAMES])
        found[name] = value
    return found


def _with_options(part: str) -> tuple[str, str]:
    """A relation and what stands in its parentheses."""
    name, opened, inside = part.partition("(")
    if opened and not inside.endswith(")"):
        raise BadParameter("$expand", f"{part[:40]!r} has no end", ["name", "name(options)"])
    return name.strip(), inside[:-1] if opened else ""


def _split(text: str, mark: str) -> list[str]:
    """Text cut at a mark, but not within quotes or parentheses. Raises BadParameter."""
    found, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(text):
        if char == "'":
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
            if depth < 0:
                break
        elif char == mark and not quoted and depth == 0:
            found.append(text[start:at])
            start = at + 1
    if depth or quoted:
        raise BadParameter("$expand", f"{text[:60]!r} has quotes or parentheses that do not match", ["name(options)"])
    return [*found, text[start:]]
