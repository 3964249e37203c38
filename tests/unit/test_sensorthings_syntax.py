"""The grammar of SensorThings' options: what is told reads as the same, and nothing breaks the parser.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.providers.errors import BadParameter, NotFound
from shikong.providers.sensorthings import options, syntax
from shikong.providers.sensorthings.compiling import Compiler
from shikong.providers.sensorthings.entities import ENTITIES
from shikong.providers.sensorthings.functions import FUNCTIONS
from shikong.providers.sensorthings.sources import Sources
from shikong.providers.sensorthings.syntax import Binary, Call, Constant, Logic, Path
from shikong.server.context import Context
from shikong.server.sensorthings import block, paths
from shikong.store.principal import Principal, current_principal

_WORDS = ["eq", "ne", "and", "or", "not", "(", ")", ",", "add", "div", "'x'", "5", "-1e3", "name", "result", "null",
          "phenomenonTime", "2024-07-01", "now()", "duration'P1D'", "geography'POINT(1 1)'", "contains(", "year(",
          "Datastream/Thing/name", "Datastreams/name", ";", "$", "'", "true", "properties/rvnm", "@iot.id"]  # fmt: skip

_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_CONSTANTS = st.one_of(
    st.builds(Constant, _TEXTS, st.just("text")),
    st.builds(Constant, st.floats(-1e9, 1e9, allow_nan=False).map(lambda number: round(number, 6)), st.just("number")),
    st.builds(Constant, st.datetimes(timezones=st.just(UTC)), st.just("time")),
    st.builds(Constant, st.timedeltas(timedelta(-999), timedelta(999)).filter(bool), st.just("duration")),
    st.builds(Constant, st.booleans(), st.just("flag")), st.just(Constant(None, "null")),
)  # fmt: skip
_PATHS = st.sampled_from([Path(("name",)), Path(("Datastream", "Thing", "name")), Path(("@iot.id",))])


def _fault(read: Callable[..., Any], *given: Any) -> Any:
    """What is told of something that cannot be read; None where it can. Anything else is raised."""
    try:
        read(*given)
    except (BadParameter, NotFound) as error:
        return error
    return None


def _condition(compiler: Compiler, text: str) -> None:
    compiler.conditions(syntax.parse_filter(text))


def _order(compiler: Compiler, text: str) -> None:
    list(compiler.orders(syntax.parse_order(text)))


def _joined(children: Any) -> Any:
    return st.one_of(
        st.builds(Binary, st.sampled_from(["eq", "lt", "add", "mod"]), children, children),
        st.builds(Logic, st.sampled_from(["and", "or"]), st.lists(children, min_size=2, max_size=3).map(tuple)),
        st.builds(Logic, st.just("not"), st.tuples(children)),
        st.builds(Call, st.sampled_from(sorted(FUNCTIONS)), st.lists(children, max_size=2).map(tuple)),
    )


@given(st.recursive(_CONSTANTS | _PATHS, _joined, max_leaves=12))
def test_a_tree_told_as_text_reads_as_the_same_tree(node: Any) -> None:
    assert syntax.parse_filter(syntax.tell(node)) == node


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(_WORDS), max_size=30).map(" ".join)))
def test_any_text_is_a_filter_or_a_fault_that_names_it(text: str) -> None:
    """Compiled, too, for each entity; what is not a filter is BadParameter and nothing else."""
    layers = tuple(layer for layer in catalog.default() if layer.kind == "observations")
    sources = Sources(layers, {})
    for entity in ENTITIES.values():
        for option, read in (("$filter", _condition), ("$orderby", _order)):
            fault = _fault(read, Compiler(entity, sources, sources.bound(), option), text)
            assert fault is None or (fault.parameter == option and fault.problem)


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(
    ["Datastreams", "Observations", "Thing", "/", "(", ")", ";", ",", "$top=1", "$select=name", "$expand=", "'"]),
    max_size=20).map("".join)))  # fmt: skip
def test_any_text_is_an_expand_or_a_fault(text: str) -> None:
    fault = _fault(options.read, ENTITIES["Things"], {"$expand": text})
    assert fault is None or fault.parameter == "$expand"


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_not_found(text: str) -> None:
    fault = _fault(paths.read, text)
    assert fault is None or str(fault)


@pytest.mark.parametrize(("text", "wanted"), [
    ("not name eq 'a' and result gt 1 or true", "(((not (name eq 'a')) and (result gt 1.0)) or true)"),
    ("result add 2 mul 3 gt 1 sub -4", "((result add (2.0 mul 3.0)) gt (1.0 sub -4.0))"),
    ("name eq 'O''Brien'", "(name eq 'O''Brien')"),
])  # fmt: skip
def test_words_bind_as_odata_says(text: str, wanted: str) -> None:
    assert syntax.tell(syntax.parse_filter(text)) == wanted


@pytest.mark.parametrize(("text", "at"), [
    ("name eq", 8), ("name eq 'a' 'b'", 13), ("(name eq 'a'", 13), ("name = 'a'", 6), ("and", 1), ("", 1),
    ("phenomenonTime gt 2024-13-01", 19), ("contains(name,'a'", 18), ("x gt duration'P'", 6),
])  # fmt: skip
def test_a_fault_names_its_place(text: str, at: int) -> None:
    with pytest.raises(BadParameter, match=f"at {at}:") as caught:
        syntax.parse_filter(text)
    assert caught.value.allowed


@pytest.mark.parametrize("text", [
    "2024-07-01T08:00:00+08:00", "2024-07-01T08:00:00 08:00", "2024-07-01T00:00Z", "2024-07-01", "2024-07-01T00:00:00",
    "datetime'2024-07-01T08:00:00+0800'",
])  # fmt: skip
def test_times_are_read_as_clients_write_them(text: str) -> None:
    node = syntax.parse_filter(f"phenomenonTime ge {text} and result gt 1")
    assert isinstance(node, Logic)
    assert node.parts[0] == Binary("ge", Path(("phenomenonTime",)), Constant(datetime(2024, 7, 1, tzinfo=UTC), "time"))


def test_only_layers_that_may_be_read_are_there() -> None:
    default = catalog.default()
    hidden = default.layer("hydro_observations").model_copy(
        update={"access": default.layer("hydro_observations").access.model_copy(update={"read": "hydrologist"})}
    )
    changed = Catalog(default.city, default.layers | {hidden.id: hidden}, default.codes)
    context = cast(Context, SimpleNamespace(catalog=changed, base_url="http://here"))
    found = block.sources(context, None)
    assert hidden.id not in {layer.id for layer in found.layers} | {layer for layer, _ in found.declared}
    token = current_principal.set(Principal("her", ("hydrologist",)))
    try:
        assert hidden in block.sources(context, None).layers
    finally:
        current_principal.reset(token)


@pytest.mark.parametrize("text", ["(" * 200 + "true" + ")" * 200, "not " * 100 + "true", "name eq 'a' or " * 300 + "true",
                                  "1 add " * 145 + "1", "a" * 5000])  # fmt: skip
def test_what_is_long_or_deep_is_refused_or_read(text: str) -> None:
    fault = _fault(syntax.parse_filter, text)
    assert fault is None or "at most" in fault.allowed[0]


def test_nested_options_are_read_where_they_stand() -> None:
    text = "Datastreams($select=name;$filter=name ne 'a;(b';$expand=Observations($top=1;$orderby=phenomenonTime desc)),Locations"
    read = options.read(ENTITIES["Things"], {"$expand": text})
    series = read.expand["Datastreams"]
    assert (series.select, [*read.expand]) == (("name",), ["Datastreams", "Locations"])
    assert series.expand["Observations"].top == 1
    assert series.expand["Observations"].order == ((Path(("phenomenonTime",)), True),)
    both = options.read(ENTITIES["Things"], {"$expand": "Datastreams/Sensor,Datastreams/Observations($top=2)"})
    assert [*both.expand["Datastreams"].expand] == ["Sensor", "Observations"]


def test_ids_read_as_the_keys_that_they_tell() -> None:
    time = datetime(2024, 7, 1, 8, tzinfo=UTC)
    row = {"layer": "hydro_observations", "series": 12, "time": time, "station": "31100500", "parameter": "z"}
    for entity in ENTITIES.values():
        identifier = entity.id_of(row)
        assert entity.key_of(identifier) == {name: row[name] for name in entity.keys}
        address = paths.read(f"{entity.name}('{identifier}')/$ref")
        assert address.steps == ((entity, None, identifier),)
    assert ENTITIES["Datastreams"].key_of("a/b/c") is ENTITIES["Datastreams"].key_of("a/x") is None
