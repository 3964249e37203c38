"""The site check as a report over HTTP: the numbers of the JSON answer in each form, and a map that shows them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from typing import Any

import docx
import numpy as np
import pypdfium2
import pytest
import shapely
from PIL import Image

PROCESS = "/processes/site-check/execution"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FORBIDDEN = (0xD7, 0x19, 0x1C)
ADDRESS = re.compile(
    r"""\b(?:src|srcset|href|data)=(?!["']?data:image/png;base64,)["']?([^"'>]*)|url\(|@import|https?:"""
)


@pytest.fixture(scope="module")
def question(client: Any) -> dict[str, Any]:
    """A factory on farmland, a part of which is none."""
    items = client.get("/collections/permanent_farmland/items", f="json", limit=2000).json["features"]
    farmland = max((shapely.geometry.shape(item["geometry"]) for item in items), key=lambda shape: float(shape.area))
    edge = farmland.boundary.interpolate(0.3, normalized=True)
    return {"site": shapely.geometry.mapping(edge.buffer(0.003)), "project": "industry"}


@pytest.fixture(scope="module")
def answer(client: Any, question: dict[str, Any]) -> Any:
    found = client.post(PROCESS, {"inputs": question}).json
    assert found["verdict"] == "forbidden"
    assert 0.05 < found["findings"][0]["share"] < 0.999, "the site is to lie in part on farmland"
    return found


def reported(client: Any, question: dict[str, Any], form: str, language: str, media_type: str) -> bytes:
    response = client.post(f"{PROCESS}?f={form}&lang={language}", {"inputs": question})
    assert response.status == 200, response.text
    assert response.headers["content-type"].split(";")[0] == media_type
    assert f'filename="site-check.{form}"' in response.headers["content-disposition"]
    return bytes(response.content)


def told(answer: Any, language: str) -> Iterator[str]:
    """What a report must say."""
    yield answer["verdict_title"][language]
    yield f"{answer['site']['area_m2']:,.2f}"
    yield f"{answer['site']['area_mu']:,.4f}"
    yield {"zh": "生成的样例数据", "en": "generated sample data"}[language]
    for each in answer["findings"]:
        yield from (each["title"][language], each["basis"][language], each["advice"][language])
        yield from (f"{each['area_m2']:,.2f}", f"{100 * each['share']:.2f}%", *each["features"][:20])
        yield from (f"{near['distance_m']:,.2f}" for near in each["nearest"])
    for each in answer["layers"]:
        if each["features"] and each["layer"] != "districts":
            yield from (each["title"][language], f"{each['area_m2']:,.2f}")
            yield from (f"{one['area_m2']:,.2f}" for one in each["classes"])
    for each in answer["quotas"]:
        yield from (each["title"][language], f"{each['planned_ha']:,.4f}", f"{each['left_ha']:,.4f}")
    for each in answer["rules"]:
        yield each["title"][language]
    for number in answer["releases"].values():
        yield str(number)


def without_gaps(text: str) -> str:
    """Lines are broken where they end; U+FFFE stands for a hyphen there."""
    return re.sub(r"[\s\ufffe]", "", text)


def require_all(text: str, answer: Any, language: str) -> None:
    squeezed = without_gaps(text)
    missing = {each for each in told(answer, language) if without_gaps(each).lower() not in squeezed.lower()}
    assert not missing


def how_red(picture: Image.Image) -> int:
    return int((np.abs(np.asarray(picture.convert("RGB"), dtype=int) - FORBIDDEN).max(axis=2) < 6).sum())


def test_pdf_has_the_numbers_and_the_map(client: Any, question: dict[str, Any], answer: Any) -> None:
    pdf = pypdfium2.PdfDocument(reported(client, question, "pdf", "zh", "application/pdf"))
    texts = [page.get_textpage().get_text_range() for page in pdf]
    require_all("".join(texts), answer, "zh")
    for number, text in enumerate(texts, 1):
        assert f"—{number}/{len(pdf)}—" in without_gaps(text)
    on_map = [how_red(page.render(scale=1.5).to_pil()) for page in pdf]
    assert max(on_map) > 500, "nothing is drawn as forbidden"


def test_page_has_the_numbers_in_english_and_loads_nothing(client: Any, question: dict[str, Any], answer: Any) -> None:
    page = reported(client, question, "html", "en", "text/html").decode()
    plain = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<style>.*?</style>", " ", page))
    for escaped, letter in (("&amp;", "&"), ("&#39;", "'")):
        plain = plain.replace(escaped, letter)
    require_all(plain, answer, "en")
    assert ADDRESS.findall(page) == []
    assert "<script" not in page
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert [how_red(Image.open(io.BytesIO(base64.b64decode(each)))) > 500 for each in pictures] == [True]


def test_docx_by_the_standards_outputs_has_the_numbers_and_the_map(
    client: Any, question: dict[str, Any], answer: Any
) -> None:
    outputs = {"answer": {"format": {"mediaType": DOCX}}}
    response = client.post(f"{PROCESS}?lang=zh", {"inputs": question, "outputs": outputs})
    assert response.headers["content-type"] == DOCX
    file = docx.Document(io.BytesIO(response.content))
    cells = [cell.text for table in file.tables for row in table.rows for cell in row.cells]
    require_all(" ".join([paragraph.text for paragraph in file.paragraphs] + cells), answer, "zh")
    (picture,) = [part.blob for part in file.part.package.iter_parts() if part.partname.endswith(".png")]
    assert how_red(Image.open(io.BytesIO(picture))) > 500
    assert "NUMPAGES" in file.sections[0].footer._element.xml


def test_what_the_question_says_is_told_as_text_and_as_it_was_then(client: Any, question: dict[str, Any]) -> None:
    """The name of a CRS of one's own gets into the report; nothing of the site is forbidden before the plans were."""
    name = "<img src=https://elsewhere.example/x.png onerror=alert(1)>"
    text = (
        f'PROJCS["{name}",GEOGCS["China Geodetic Coordinate System 2000",DATUM["China_2000",'
        'SPHEROID["CGCS2000",6378137,298.257222101]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],'
        'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",116.2],'
        'PARAMETER["scale_factor",1],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]'
    )
    site = shapely.geometry.mapping(shapely.box(480_000, 4_030_000, 480_200, 4_030_200))
    asked = {"site": site, "project": "housing", "crs": text, "asOf": "2999-01-01"}
    page = reported(client, asked, "html", "zh", "text/html").decode()
    assert "&lt;img src=https://elsewhere.example/x.png onerror=alert(1)&gt;" in page
    assert "<img src=http" not in page
    assert "2999-01-01 23:59:59+08:00" in page


def test_the_description_lists_the_forms_and_others_are_refused(client: Any, question: dict[str, Any]) -> None:
    schema = client.get("/processes/site-check", f="json").json["outputs"]["answer"]["schema"]
    kinds = [kind["contentMediaType"] for kind in schema["oneOf"]]
    assert kinds == ["application/json", "text/html", "application/pdf", DOCX]
    assert client.post(f"{PROCESS}?f=xlsx", {"inputs": question}).status == 400
