"""Reading YAML so that every error can say file, line and field.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from shikong.layers.errors import DeclarationError, Fault

Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.CSafeLoader):
    """SafeLoader (on libyaml, a tenth of the time) that refuses a key given twice and leaves dates as text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:  # type: ignore[type-arg]
        seen: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen[key.value] = key
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path, model: type[Model]) -> Model:
    """Read a YAML file into a model.

    Raises DeclarationError, with one Fault for everything found wrong in the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        loader = _Loader(text)
        root = loader.get_single_node()
        data = None if root is None else loader.construct_document(root)
    except UnicodeDecodeError as error:
        raise DeclarationError([Fault(path, 1, "(file)", f"is not UTF-8: {error.reason}")]) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DeclarationError([Fault(path, line, "(yaml)", error.problem or "not valid YAML")]) from error
    if not isinstance(data, dict):
        raise DeclarationError([Fault(path, 1, "(file)", "must hold a mapping of keys to values")])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise DeclarationError([_fault(path, root, item["loc"], item["msg"]) for item in error.errors()]) from error


def line_of(path: Path, loc: Sequence[int | str]) -> int:
    """The line of a part of a file that has been read before, for what is found wrong with it later."""
    return _line(yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader), loc)


def _fault(path: Path, root: yaml.Node | None, loc: Sequence[int | str], message: str) -> Fault:
    field = ".".join(str(part) for part in loc if part != "[key]") or "(file)"
    return Fault(path, _line(root, loc), field, message.removeprefix("Value error, "))


def _line(node: yaml.Node | None, loc: Sequence[int | str]) -> int:
    """The line of the deepest part of ``loc`` that the file has."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
