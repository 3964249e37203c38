"""Arithmetic: + - * / % div ^, in double precision. What divides by zero is null.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Callable

from psycopg import sql

from shikong.providers.cql2 import literals
from shikong.providers.cql2.parse import Node
from shikong.providers.cql2.terms import NUMERIC, Scope, Term, bad

#: SQL of each operator. float8 has no remainder and no integer division, numeric has both.
_SQL = {
    "+": "({} + {})",
    "-": "({} - {})",
    "*": "({} * {})",
    "/": "({} / nullif({}, 0))",
    "%": "mod({}, nullif({}, 0))::double precision",
    "div": "div({}, nullif({}, 0))::double precision",
    "^": "power({}, {})",
}
OPERATORS = frozenset(_SQL)

_VALUES: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": math.fmod,
    "div": lambda a, b: float(math.trunc(a / b)),
    "^": math.pow,
}


def calculate(scope: Scope, node: Node, terms: tuple[Term, ...]) -> Term:
    """An arithmetic expression; one of literals is a literal. Raises BadParameter."""
    for term in terms:
        if term.kind not in NUMERIC:
            raise bad(node, f"calculates with {term.kind}", ["fields of type number or integer", "numbers"])
    operator = node["op"].lower()
    left, right = terms
    if left.literal and right.literal:
        try:
            value = _VALUES[operator](float(left.value), float(right.value))
        except (ArithmeticError, ValueError) as error:
            raise bad(node, f"has no value: {error}") from error
        return literals.number(value)
    cast = "numeric" if operator in ("%", "div") else "double precision"
    parts = [sql.SQL("{}::{}").format(scope.write(term), sql.SQL(cast)) for term in terms]
    return Term("number", node, sql.SQL(_SQL[operator]).format(*parts))
