"""Addresses of entities: `Things('31100500')/Datastreams`, `Datastreams('hydro_observations/12')/Thing/name/$value`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from shikong.providers.errors import NotFound
from shikong.providers.sensorthings.entities import ENTITIES, Entity, Relation

#: Steps of an address, at most.
MAX_STEPS = 6

_STEP = re.compile(r"(?P<name>[A-Za-z_@$][\w@$.]*)(?:\((?P<key>'(?:[^']|'')*'|[^'()]*)\))?(?:/|$)", re.ASCII)


@dataclass(frozen=True)
class Step:
    """A part of an address: entities, one of them, or a property."""

    name: str
    key: str | None


@dataclass(frozen=True)
class Address:
    """What an address means: from one entity to the next, and in the end what of it.

    steps: entities with the relation that leads there (None the first) and the id that is given. ends: a property,
    `$value` and `$ref`, as far as they stand there.
    """

    steps: tuple[tuple[Entity, Relation | None, str | None], ...]
    ends: tuple[str, ...]

    @property
    def entity(self) -> Entity:
        """What is meant in the end."""
        return self.steps[-1][0]

    @property
    def one(self) -> bool:
        """Whether it is one entity."""
        _, relation, key = self.steps[-1]
        return key is not None or (relation is not None and not relation.many)


def read(text: str) -> Address:
    """The meaning of an address below the service's root. Raises NotFound, naming what is there."""
    steps = _steps(text)
    first = steps[0]
    if first.name not in ENTITIES:
        raise NotFound(f"there are no {first.name[:40]!r}; there are {', '.join(ENTITIES)}")
    found: list[tuple[Entity, Relation | None, str | None]] = [(ENTITIES[first.name], None, first.key)]
    for at, step in enumerate(steps[1:], 1):
        entity, relation, _ = found[-1]
        one = Address(tuple(found), ()).one
        if one and step.name in entity.relations:
            relation = entity.relations[step.name]
            found.append((ENTITIES[relation.target], relation, step.key))
        else:
            return Address(tuple(found), _ends(entity, one, steps[at:]))
    return Address(tuple(found), ())


def _steps(text: str) -> list[Step]:
    found, at = [], 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or "\0" in text:
            raise NotFound(f"{text[at : at + 40]!r} is no part of an address; such are Things('31100500')/Datastreams")
        key = match["key"]
        found.append(Step(match["name"], key[1:-1].replace("''", "'") if key and key[0] == "'" else key))
        at = match.end()
    if not found or len(found) > MAX_STEPS:
        raise NotFound(f"an address has 1 to {MAX_STEPS} parts")
    return found


def _ends(entity: Entity, one: bool, steps: list[Step]) -> tuple[str, ...]:
    names = tuple(step.name for step in steps)
    if any(step.key is not None for step in steps):
        names = ()
    if names == ("$ref",):
        return names
    if one and names and names[0] in entity.shown and names[1:] in ((), ("$value",)):
        return names
    there = [*entity.shown, *entity.relations] if one else [f"{entity.name}('…')"]
    raise NotFound(
        f"{'/'.join(step.name for step in steps)[:60]!r} is not there; there are {', '.join([*there, '$ref'])}"
    )


def link(base: str, entity: Entity, identifier: str) -> str:
    """The address of an entity."""
    quoted = quote(identifier.replace("'", "''"), safe="/'")
    return f"{base}/{entity.name}('{quoted}')"
