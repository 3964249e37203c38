"""What every process is: typed inputs, one answer, metadata in both languages.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pygeoapi.process.base import BaseProcessor

from shikong.layers.declared import Text
from shikong.providers.labels import Language

JSON = "application/json"


class BadInput(Exception):
    """An input is wrong. `allowed` says what would be right."""

    def __init__(self, parameter: str, problem: str, allowed: tuple[str, ...] = ()) -> None:
        self.parameter = parameter
        self.allowed = allowed
        super().__init__(f"{parameter}: {problem}")


class Inputs(BaseModel):
    """Base of a process's inputs; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The inputs' names, as they are given."""
        return _names_at(cls, ())


@dataclass(frozen=True)
class Rendering:
    """Another form of an answer than JSON. write: from the answer and the reader's language to the file's bytes."""

    media_type: str
    suffix: str
    write: Callable[[dict[str, Any], Language], bytes]


class Process(BaseProcessor):  # type: ignore[misc]
    """A pygeoapi processor whose description comes from its input model."""

    id: ClassVar[str]
    title: ClassVar[Text]
    description: ClassVar[Text]
    inputs: ClassVar[type[Inputs]]
    #: What else than JSON the answer can be told as, by the value of `f`.
    renderings: ClassVar[Mapping[str, Rendering]] = {}

    #: The JSON schemas of the answer's parts by name, as far as they are told; titles are in both languages.
    parts: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, processor_def: dict[str, Any]) -> None:
        super().__init__(processor_def, self._metadata())

    @classmethod
    def _metadata(cls) -> dict[str, Any]:
        return {
            "version": "0.1.0", "id": cls.id, "title": cls.title.model_dump(),
            "description": cls.description.model_dump(), "jobControlOptions": ["sync-execute"],
            "keywords": [cls.id], "links": [], "inputs": _described(cls.inputs),
            "outputs": {"answer": {"title": cls.title.model_dump(), "schema": cls._answer_schema()}},
        }  # fmt: skip

    @classmethod
    def _answer_schema(cls) -> dict[str, Any]:
        told: dict[str, Any] = {"type": "object", "contentMediaType": JSON}
        if cls.parts:
            told["properties"] = dict(cls.parts)
        files = [{"type": "string", "format": "binary", "contentMediaType": each.media_type}
                 for each in cls.renderings.values()]  # fmt: skip
        return {"oneOf": [told, *files]} if files else told

    def execute(self, data: dict[str, Any], outputs: Any = None) -> tuple[str, dict[str, Any]]:
        """Answer the question. Raises BadInput."""
        return JSON, self.answer(self.checked(data))

    def checked(self, data: dict[str, Any]) -> Any:
        """The inputs as their model. Raises BadInput naming the first that is wrong."""
        try:
            return self.inputs.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "inputs"
            known = _names_at(self.inputs, first["loc"][:-1]) if first["type"] == "extra_forbidden" else ()
            raise BadInput(name, first["msg"], known) from error

    def answer(self, inputs: Any) -> dict[str, Any]:
        """The answer as JSON. To be given by each process."""
        raise TypeError(f"{type(self).__name__} does not answer")


def _names_at(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, ...]:
    """The names that are known inside of an input; none inside of a list, whose members differ."""
    for step in path:
        field = next((field for name, field in model.model_fields.items() if step in (name, field.alias)), None)
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            return ()
        model = inner
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _described(model: type[Inputs]) -> dict[str, Any]:
    """A model's fields as process inputs; those that it shares with others come last."""
    schema = model.model_json_schema()
    described = {}
    own = {field.alias or name for name, field in model.model_fields.items() if name in model.__annotations__}
    for name, declared in sorted(schema["properties"].items(), key=lambda item: item[0] not in own):
        required = name in schema.get("required", [])
        definition = dict(declared)
        title = definition.pop("x-title", {"zh": name, "en": name})
        if "anyOf" in definition:  # an optional value: null only means that it is left out
            kinds = [kind for kind in definition.pop("anyOf") if kind.get("type") != "null"]
            definition = kinds[0] | definition  # what is declared of items goes before what the type alone tells
            definition.pop("default", None)
        if "$ref" in definition:  # descriptions stand alone, without the definitions of a whole schema
            definition |= schema["$defs"][definition.pop("$ref").rpartition("/")[2]]
        described[name] = {
            "title": title, "description": title, "schema": definition, "minOccurs": int(required), "maxOccurs": 1,
        }  # fmt: skip
    return described


def titled(zh: str, en: str, **extra: Any) -> dict[str, Any]:
    """Titles for an input field's JSON schema."""
    return {"x-title": {"zh": zh, "en": en}, **extra}
