"""The pages must work in a network without the internet, and in Chinese."""

import json
import re
from pathlib import Path
from typing import Any

import pygeoapi
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, select_autoescape
from pygeoapi.util import format_datetime, format_duration, human_size, to_json

WEB = Path(__file__).resolve().parents[2] / "web"
TEMPLATES = WEB / "templates"
STOCK = Path(pygeoapi.__file__).parent / "templates"
UNUSED_STOCK = {"stac", "admin"}

PAGES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
STOCK_PAGES = sorted(
    path.relative_to(STOCK).as_posix()
    for path in STOCK.rglob("*.html")
    if path.relative_to(STOCK).parts[0] not in UNUSED_STOCK
)
SCRIPTS = sorted((WEB / "static" / "js").rglob("*.js"))
SHEETS = sorted((WEB / "static" / "css").rglob("*.css"))

OUTSIDE = r"(?:https?:)?//[\w.-]"
LOADED_BY_PAGE = re.compile(
    rf"<(?:script|link|img|iframe|source|object|embed)\b[^>]*\b(?:src|srcset|href|data)\s*=\s*[\"']{OUTSIDE}"
    rf"|url\(\s*[\"']?{OUTSIDE}",
    re.IGNORECASE,
)
LOADED_BY_SHEET = re.compile(rf"url\(\s*[\"']?{OUTSIDE}|@import", re.IGNORECASE)
ADDRESS_IN_SCRIPT = re.compile(r"[\"'`](?:https?:)?//([\w.-]+)")
IDENTIFIER_HOSTS = {"www.w3.org", "www.opengis.net"}


@pytest.fixture(scope="module")
def pages() -> Any:
    environment: Any = Environment(
        loader=FileSystemLoader(TEMPLATES), extensions=["jinja2.ext.i18n"], autoescape=select_autoescape()
    )
    environment.filters.update(
        to_json=to_json, format_datetime=format_datetime, format_duration=format_duration, human_size=human_size
    )
    environment.install_null_translations()
    return environment


@pytest.fixture
def configuration() -> dict[str, Any]:
    return {
        "server": {"url": "http://service.test"},
        "metadata": {
            "identification": {"title": "Service", "description": "About it", "keywords": ["city"]},
            "provider": {"name": "Bureau"},
            "contact": {"name": "Office"},
        },
        "resources": {
            "redline": {"type": "collection", "title": "Redline", "keywords": ["Nature"], "providers": []},
            "parcels": {"type": "collection", "title": "Parcels", "keywords": ["Planning", "generated"]},
        },
    }


@pytest.mark.parametrize("page", PAGES)
def test_page_loads_nothing_from_outside(page: str) -> None:
    assert not LOADED_BY_PAGE.findall((TEMPLATES / page).read_text("utf-8"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_style_sheet_loads_nothing_from_outside(sheet: Path) -> None:
    assert not LOADED_BY_SHEET.findall(sheet.read_text("utf-8"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_names_no_outside_host(script: Path) -> None:
    assert set(ADDRESS_IN_SCRIPT.findall(script.read_text("utf-8"))) <= IDENTIFIER_HOSTS


@pytest.mark.parametrize("page", PAGES)
def test_page_has_no_inline_script(page: str) -> None:
    text = (TEMPLATES / page).read_text("utf-8")
    inline = [
        tag for tag in re.findall(r"<script\b[^>]*>", text) if "src=" not in tag and "application/json" not in tag
    ]
    assert not inline
    assert not re.findall(r"<[^>]+\son\w+\s*=", text)


@pytest.mark.parametrize(
    "page", [page for page in STOCK_PAGES if LOADED_BY_PAGE.search((STOCK / page).read_text("utf-8"))]
)
def test_stock_page_with_outside_assets_is_replaced(page: str) -> None:
    assert page in PAGES


def test_every_other_stock_page_is_replaced_too() -> None:
    assert LOADED_BY_PAGE.search((STOCK / "_base.html").read_text("utf-8")), "the search no longer finds anything"
    assert set(STOCK_PAGES) <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_page_compiles(pages: Any, page: str) -> None:
    pages.get_template(page)


def test_chinese_catalogue_is_complete() -> None:
    with (WEB / "locale" / "zh" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        catalogue = read_po(file)
    translated = {message.id for message in catalogue if message.id and message.string and not message.fuzzy}
    open_entries = {message.id for message in catalogue if message.id} - translated
    used = {
        message for home, kind in ((TEMPLATES, ("**.html", "jinja2")), (WEB.parent / "processes", ("**.py", "python")))
        for _, _, message, _, _ in extract_from_dir(home, method_map=[kind])
    }  # fmt: skip
    assert not open_entries
    assert used - translated == set()
    assert translated - used == set()


def test_landing_page_groups_layers_by_theme_and_marks_samples(pages: Any, configuration: dict[str, Any]) -> None:
    html = pages.get_template("landing_page.html").render(
        config=configuration, data={"links": []}, locale="en", version="0"
    )
    nature, planning = html.split("<h3>Nature")[1].split("<h3>Planning")
    assert "Redline" in nature
    assert "sample data" not in nature
    assert "Parcels" in planning
    assert "sample data (generated)" in planning
    assert '<html lang="en">' in html


def test_exception_page_shows_what_is_allowed(pages: Any, configuration: dict[str, Any]) -> None:
    problem = {"code": "InvalidParameterValue", "description": "no <limit>", "allowed": ["limit", "bbox"]}
    html = pages.get_template("exception.html").render(config=configuration, data=problem, locale="zh", version="0")
    assert "no &lt;limit&gt;" in html
    assert "limit, bbox" in html


def test_data_island_cannot_close_its_script(pages: Any, configuration: dict[str, Any]) -> None:
    macros = pages.get_template("_macros.html").make_module({"config": configuration})
    html = str(macros.island("data", {"name": "</script><b>"}))
    assert html.count("</script>") == 1
    content = re.search(r">(.*)</script>", html)
    assert content
    assert json.loads(content[1]) == {"name": "</script><b>"}


def test_lock_file_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text("utf-8"))
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
    manifest = json.loads((WEB / "package.json").read_text("utf-8"))
    assert set(manifest["dependencies"]) == {"echarts", "ol", "swagger-ui-dist"}
