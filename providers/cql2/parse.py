"""A filter's text as a tree, within bounds that keep the parser safe.

The parser of the `cql2` library recurses on the stack of the process (20,000 terms in a row end it) and takes twice
the time for each further pair of brackets around a mistake. What could harm is refused before it is read.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from typing import Any, Literal

import cql2

from shikong.providers.errors import BadParameter

Language = Literal["cql2-text", "cql2-json"]
#: What `filter-lang` may be. The draft's name of the text is what GDAL 3.6 looks for and sends.
LANGUAGES: dict[str, Language] = {"cql2-text": "cql2-text", "cql2-json": "cql2-json", "cql-text": "cql2-text"}

#: A filter as JSON: a number is always a float, an operation is {"op", "args"}.
Node = Any

MAX_LENGTH = 2**18
#: Operators in a text, and nodes in a tree.
MAX_OPERATORS = 1000
MAX_NODES = 100_000
#: Nodes one inside the other: neither Python's stack nor PostgreSQL's is put to the test.
MAX_DEPTH = 64
#: Characters times two to the power of the brackets around one place: 0.2 s of parsing at the worst (measured).
MAX_EFFORT = 2**18

_STRING = re.compile(r"'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_QUOTED_NAME = re.compile(r'"(?:[^"]|"")*"')
_ESCAPE = re.compile(r"''|\\(.)", re.DOTALL)
_CONTROL = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "'": "'", "\\": "\\"}
_NUMBERS = r"[\d\s.,+e-]"
_WKT = re.compile(  # brackets in up to three levels, each closed
    r"\b(?:(?:multi)?(?:point|linestring|polygon)|bbox)\s*z?\s*"
    rf"\((?:{_NUMBERS}|\((?:{_NUMBERS}|\({_NUMBERS}*+\))*+\))*+\)",
    re.IGNORECASE | re.ASCII,
)
#: Of these the library raises an error without a class of its own, wherever they stand, with or without blanks.
_EMPTY = re.compile(r"(?:point|linestring|polygon|geometrycollection)\s*z?m?\s*empty", re.IGNORECASE)
_OPERATOR = re.compile(r"\b(?:and|or|not|like|between|in|is|div)\b|[-+*/%^=<>]", re.IGNORECASE)
_BRACKET = re.compile(r"(\w[\w.:]*|\")?\s*\(|\)")
#: Words before a bracket that do not make it the bracket of a function's arguments.
_WORDS = frozenset({None, "and", "or", "not", "like", "between", "in", "is", "div"})
_PLACE = re.compile(r"--> \d+:(\d+)|column (\d+)")


def language(text: str | None) -> Language:
    """`filter-lang`. Raises BadParameter."""
    if text is None:
        return "cql2-text"
    if text in LANGUAGES:
        return LANGUAGES[text]
    raise BadParameter("filter-lang", f"{text!r} is not a filter language of this service", LANGUAGES)


def parse(text: str, lang: Language) -> Node:
    """The tree of a filter. Raises BadParameter, naming the place, for what is not CQL2 or is too large."""
    if len(text) > MAX_LENGTH:
        raise BadParameter("filter", f"has {len(text)} characters; {MAX_LENGTH} are read", ["a shorter filter"])
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadParameter("filter", "is not valid Unicode", ["UTF-8, percent-encoded"]) from error
    try:
        read = cql2.parse_json(text) if lang == "cql2-json" else cql2.parse_text(_prepared(text))
        return read.to_json()
    except cql2.ParseError as error:
        raise BadParameter("filter", _problem(text, lang, str(error)), _EXAMPLES[lang]) from error


def part(node: Node) -> str:
    """A part of a filter in short, for an error message. The library's own way back to text fails for some."""
    text = _told(node).encode(errors="replace").decode().replace("\0", "?")
    return text if len(text) <= 80 else text[:77] + "..."


def _told(node: Node) -> str:
    if isinstance(node, str):
        return f"'{node[:80]}'"
    if isinstance(node, list):
        return f"({', '.join(map(_told, node[:5]))})"
    if not isinstance(node, dict):
        return "NULL" if node is None else str(node).upper() if isinstance(node, bool) else f"{node:g}"
    if "op" in node:
        name, args = node["op"], node["args"][:5]
        infix = len(args) == 2 and ("_" not in name or not name.isidentifier())
        return f" {name} ".join(map(_told, args)) if infix else f"{name}({', '.join(map(_told, args))})"
    if "type" in node:
        return f"{str(node['type']).upper()}(...)"
    name, value = next(iter(node.items()))
    return str(value) if name == "property" else f"{name.upper()}({_told(value)})"


_EXAMPLES: dict[Language, list[str]] = {
    "cql2-text": ["dlbm = '0101' AND tbmj > 1000", "S_INTERSECTS(geometry, POINT(115.98 36.45))"],
    "cql2-json": ['{"op": "=", "args": [{"property": "dlbm"}, "0101"]}'],
}


def _prepared(text: str) -> str:
    """The text with the escapes of its strings resolved, which the library does not do; refuses what could harm."""
    bare = _QUOTED_NAME.sub('""', _STRING.sub("''", text))
    if "'" in bare.replace("''", ""):
        raise BadParameter("filter", "has a string that does not end", ["'text', with '' for a quote inside"])
    if found := _EMPTY.search(bare):
        raise BadParameter("filter", f"{found[0]} has no place", ["POINT(115.98 36.45)"])
    bare = _WKT.sub("g()", bare)
    operators = len(_OPERATOR.findall(bare))
    if operators > MAX_OPERATORS:
        raise BadParameter("filter", f"has {operators} operators; {MAX_OPERATORS} are read", ["IN with a list"])
    depth = _brackets(bare)
    if depth and len(text) << depth > MAX_EFFORT:
        raise BadParameter(
            "filter", f"nests {depth} pairs of brackets, too many for its length", ["fewer brackets", "cql2-json"]
        )
    return _STRING.sub(lambda found: _requoted(found[0][1:-1]), text)


def _requoted(body: str) -> str:
    """The inside of a string literal with its escapes resolved, as a literal that knows the doubled quote only.

    A backslash before anything else stays: it is the escape character of LIKE patterns.
    """
    resolved = _ESCAPE.sub(lambda found: "'" if found[1] is None else _CONTROL.get(found[1], found[0]), body)
    return "'" + resolved.replace("'", "''") + "'"


def _brackets(bare: str) -> int:
    """How many pairs of brackets are open at once, without those of functions: a mistake in these costs no time."""
    deepest, groups = 0, 0
    stack: list[bool] = []
    for found in _BRACKET.finditer(bare):
        if found[0] == ")":
            if not stack:
                raise BadParameter("filter", "closes a bracket that was not opened")
            groups -= stack.pop()
            continue
        name = found[1] and found[1].lower()
        stack.append(name in _WORDS)
        groups += stack[-1]
        deepest = max(deepest, groups)
        if len(stack) > MAX_DEPTH:
            raise BadParameter("filter", f"nests more than {MAX_DEPTH} pairs of brackets", ["fewer brackets"])
    if stack:
        raise BadParameter("filter", "opens a bracket that is not closed")
    return deepest


def _problem(text: str, lang: Language, told: str) -> str:
    """What the parser did not understand, with the place."""
    found = _PLACE.search(told)
    if found is None:
        return f"is not {lang}: {told.splitlines()[0][:200]}"
    place = int(found[1] or found[2])
    before = text[max(0, place - 31) : place - 1]
    return f"is not {lang} from character {place} on, after {before!r}" if before else f"does not begin as {lang} does"


def require_bounded(tree: Node) -> None:
    """Raise BadParameter when a tree has too many nodes, or too many one inside the other. Geometries count as one."""
    waiting = [(tree, 1)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_NODES:
            problem = f"has parts more than {MAX_DEPTH} deep" if depth > MAX_DEPTH else f"has over {MAX_NODES} parts"
            raise BadParameter("filter", problem, ["a simpler filter"])
        inner = node.get("args") or node.get("interval") if isinstance(node, dict) else node
        if isinstance(inner, list):
            waiting += [(item, depth + 1) for item in inner]
