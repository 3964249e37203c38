"""The grammar of `$filter` and `$orderby`: text to a tree, within bounds, and back.

A parser of our own: what SensorThings takes of OData is small, and each fault can name its position and what may stand
there (decision 0020).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from shikong.providers.errors import BadParameter

#: Bounds of one option's text: characters, words and marks, parentheses in one another.
MAX_LENGTH, MAX_TOKENS, MAX_DEPTH = 4_000, 300, 25

Kind = Literal["text", "number", "time", "duration", "geo", "flag", "null"]


@dataclass(frozen=True)
class Constant:
    """A value. Shapes are WKT, times have an offset."""

    value: Any
    kind: Kind
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Path:
    """A property, maybe of something related."""

    names: tuple[str, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Call:
    """A function of values."""

    name: str
    args: tuple[Node, ...]
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Binary:
    """A comparison, or arithmetic."""

    op: str
    left: Node
    right: Node
    at: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Logic:
    """All of some conditions (and), any of them (or), or not the only one."""

    op: str
    parts: tuple[Node, ...]
    at: int = field(default=0, compare=False)


Node = Constant | Path | Call | Binary | Logic

COMPARISONS = ("eq", "ne", "gt", "ge", "lt", "le")
_SUMS, _PRODUCTS = ("add", "sub"), ("mul", "div", "mod")
_WORDS = {*COMPARISONS, *_SUMS, *_PRODUCTS, "and", "or", "not"}

_NAME = r"[A-Za-z_@][A-Za-z0-9_@.]*"
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<made>(?:geography|geometry|datetime|datetimeoffset|duration)'(?:[^']|'')*')
    |(?P<text>'(?:[^']|'')*')
    |(?P<time>\d{{4}}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{{1,9}})?)?(?:Z|[+\x20-]\d\d:?\d\d)?)?)
    |(?P<number>-?\d{{1,40}}(?:\.\d{{1,40}})?(?:[eE][+-]?\d{{1,3}})?)
    |(?P<name>{_NAME}(?:/{_NAME})*)
    |(?P<mark>[(),])""",
    re.VERBOSE | re.ASCII,
)
_DURATION = re.compile(
    r"(-?)P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7}(?:\.\d{1,6})?)S)?)?", re.ASCII
)


@dataclass(frozen=True)
class Token:
    """A piece of text and where it begins, counted from 1."""

    kind: str
    text: str
    at: int


def parse_filter(text: str, option: str = "$filter") -> Node:
    """A condition as a tree. Raises BadParameter."""
    parser = _Parser(text, option)
    node = parser.either()
    parser.require_end("and, or, or the end")
    return node


def parse_order(text: str, option: str = "$orderby") -> tuple[tuple[Node, bool], ...]:
    """What to order by, each with whether it falls. Raises BadParameter."""
    parser = _Parser(text, option)
    found = [parser.order()]
    while parser.took("mark", ","):
        found.append(parser.order())
    parser.require_end("asc, desc, a comma or the end")
    if len(found) > 5:
        raise BadParameter(option, f"has {len(found)} properties", ["at most 5"])
    return tuple(found)


class _Parser:
    """Reads tokens from left to right, one method for each level of precedence."""

    def __init__(self, text: str, option: str) -> None:
        self._option = option
        if len(text) > MAX_LENGTH:
            raise BadParameter(option, f"has {len(text)} characters", [f"at most {MAX_LENGTH}"])
        self._tokens = list(self._read(text))
        self._end = len(text) + 1
        self._next = self._depth = 0

    def _read(self, text: str) -> list[Token]:
        found, at = [], 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise BadParameter(self._option, f"at {at + 1}: {text[at : at + 20]!r} cannot be read", [
                    "a property", "a function", "'text'", "a number", "a time such as 2024-07-01T00:00:00Z",
                ])  # fmt: skip
            if match.lastgroup != "space":
                found.append(Token(match.lastgroup, match[0], at + 1))
            at = match.end()
        if len(found) > MAX_TOKENS:
            raise BadParameter(self._option, f"has {len(found)} words and marks", [f"at most {MAX_TOKENS}"])
        return found

    def _peek(self) -> Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else Token("end", "the end", self._end)

    def took(self, kind: str, *texts: str) -> Token | None:
        """The next token if it is one of these, which then is behind."""
        token = self._peek()
        if token.kind != kind or (texts and token.text not in texts):
            return None
        self._next += 1
        return token

    def _fault(self, wanted: str) -> BadParameter:
        token = self._peek()
        return BadParameter(self._option, f"at {token.at}: found {token.text[:40]!r}, not {wanted}", [wanted])

    def _require(self, mark: str) -> None:
        if not self.took("mark", mark):
            raise self._fault(mark)

    def require_end(self, wanted: str) -> None:
        """Raise BadParameter where something is left."""
        if self._peek().kind != "end":
            raise self._fault(wanted)

    def order(self) -> tuple[Node, bool]:
        """A property or value, and whether it falls."""
        node = self._sum()
        way = self.took("name", "asc", "desc")
        return node, way is not None and way.text == "desc"

    def either(self) -> Node:
        """Conditions joined by or."""
        return self._joined("or", lambda: self._joined("and", self._negation))

    def _joined(self, word: str, part: Any) -> Node:
        first = part()
        parts = [first]
        while self.took("name", word):
            parts.append(part())
        return first if len(parts) == 1 else Logic(word, tuple(parts), first.at)

    def _negation(self) -> Node:
        if token := self.took("name", "not"):
            return Logic("not", (self._deeper(self._negation),), token.at)
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        if token := self.took("name", *COMPARISONS):
            return Binary(token.text, left, self._sum(), token.at)
        return left

    def _sum(self) -> Node:
        node = self._product()
        while token := self.took("name", *_SUMS):
            node = Binary(token.text, node, self._product(), token.at)
        return node

    def _product(self) -> Node:
        node = self._value()
        while token := self.took("name", *_PRODUCTS):
            node = Binary(token.text, node, self._value(), token.at)
        return node

    def _deeper(self, part: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadParameter(self._option, f"at {self._peek().at}: too deep", [f"at most {MAX_DEPTH} levels"])
        found = part()
        self._depth -= 1
        return found

    def _value(self) -> Node:
        if self.took("mark", "("):
            node: Node = self._deeper(self.either)
            self._require(")")
            return node
        for kind in ("text", "number", "time", "made"):
            if token := self.took(kind):
                return self._constant(token)
        token = self._peek()
        if token.kind != "name" or token.text in _WORDS:
            raise self._fault("a property, a function or a value")
        self._next += 1
        if token.text in ("true", "false", "null"):
            return Constant(_NAMED[token.text], "null" if token.text == "null" else "flag", token.at)
        if self.took("mark", "("):
            return Call(token.text, self._deeper(self._args), token.at)
        return Path(tuple(token.text.split("/")), token.at)

    def _args(self) -> tuple[Node, ...]:
        if self.took("mark", ")"):
            return ()
        found = [self.either()]
        while self.took("mark", ","):
            found.append(self.either())
        self._require(")")
        return tuple(found)

    def _constant(self, token: Token) -> Constant:
        text = token.text
        if token.kind == "text":
            return Constant(self._plain(text, token), "text", token.at)
        if token.kind == "number":
            number = float(text)
            if not math.isfinite(number):
                raise BadParameter(self._option, f"at {token.at}: {text[:40]} is too large", ["a number below 1e308"])
            return Constant(number, "number", token.at)
        if token.kind == "time":
            return Constant(self._time(text, token), "time", token.at)
        prefix, _, quoted = text.partition("'")
        inside = self._plain(f"'{quoted}", token)
        if prefix.startswith("geo"):
            return Constant(inside, "geo", token.at)
        if prefix == "duration":
            return Constant(self._duration(inside, token), "duration", token.at)
        return Constant(self._time(inside, token), "time", token.at)

    def _plain(self, text: str, token: Token) -> str:
        if "\0" in text:  # PostgreSQL has no place for it
            raise BadParameter(self._option, f"at {token.at}: has a NUL character", ["text without it"])
        return text[1:-1].replace("''", "'")

    def _time(self, text: str, token: Token) -> datetime:
        try:
            # A plus sign that was not percent-encoded arrives as a space.
            time = datetime.fromisoformat(text.replace(" ", "+"))
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise BadParameter(
                self._option, f"at {token.at}: {text[:40]!r} is not a time", ["2024-07-01T08:00:00Z", "2024-07-01"]
            ) from error

    def _duration(self, text: str, token: Token) -> timedelta:
        match = _DURATION.fullmatch(text)
        if match is None or not any(match.groups()[1:]):
            raise BadParameter(self._option, f"at {token.at}: {text[:40]!r} is no duration", ["P1D", "PT6H"])
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups()[1:])
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return -length if match[1] else length


_NAMED = {"true": True, "false": False, "null": None}


def tell(node: Node) -> str:
    """A tree as text that reads as the same tree."""
    match node:
        case Constant():
            return _tell_constant(node)
        case Path(names):
            return "/".join(names)
        case Call(name, args):
            return f"{name}({','.join(map(tell, args))})"
        case Binary(op, left, right):
            return f"({tell(left)} {op} {tell(right)})"
        case Logic("not", (part,)):
            return f"(not {tell(part)})"
        case Logic(op, parts):
            return "(" + f" {op} ".join(map(tell, parts)) + ")"


def _tell_constant(node: Constant) -> str:
    quoted = "'" + str(node.value).replace("'", "''") + "'"
    match node.kind:
        case "text":
            return quoted
        case "geo":
            return f"geography{quoted}"
        case "time":
            return f"datetime'{node.value.isoformat()}'"
        case "duration":
            seconds = node.value // timedelta(microseconds=1)
            sign, whole = ("-" if seconds < 0 else ""), abs(seconds)
            days, rest = divmod(whole, 86_400_000_000)
            return f"duration'{sign}P{days}DT{rest // 1_000_000}.{rest % 1_000_000:06}S'"
        case "number":
            return repr(node.value)
        case _:
            return {True: "true", False: "false", None: "null"}[node.value]
