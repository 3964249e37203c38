"""The parameter `profile`: codes, or what they mean in the reader's language, and how an answer says which.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

CODES = Path(__file__).parents[2] / "layers/codes"
PARCELS = "/collections/parcels/items"
AS_CODE, AS_TITLE = "https://def.ldproxy.net/profile/val-as-code", "https://def.ldproxy.net/profile/val-as-title"


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    """The land classes as their file has them."""
    codes: dict[str, Any] = yaml.safe_load((CODES / "land_use_survey.yml").read_text(encoding="utf-8"))["codes"]
    return codes


@pytest.fixture(scope="module")
def codes(client: Any) -> dict[str, str]:
    """Some parcels' codes."""
    features = client.get(PARCELS, f="json", limit=50).json["features"]
    return {feature["id"]: feature["properties"]["dlbm"] for feature in features}


def _asked(service: Any, path: str, params: dict[str, str], **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(f"{service.url}{path}", params={"limit": "50"} | params, headers=given, trust_env=False)


def _links(answer: httpx.Response) -> list[str]:
    """The profiles that the header names; the document must name the same."""
    named = [link.split(">")[0].strip(" <") for link in answer.headers["link"].split(",") if 'rel="profile"' in link]
    assert [link["href"] for link in answer.json()["links"] if link["rel"] == "profile"] == named
    return named


@pytest.mark.parametrize(
    ("profile", "language", "part", "named"),
    [
        ("val-as-title", "zh-CN", "zh", AS_TITLE),
        ("val-as-title", "en-GB;q=0.9, fr", "en", AS_TITLE),
        (AS_TITLE, "en-US", "en", AS_TITLE),
        ("rel-as-link,https://example.org/profile/none, val-as-title", "zh", "zh", AS_TITLE),
        ("val-as-title,val-as-code", "en-US", "en", AS_TITLE),
        ("val-as-code", "en-US", None, AS_CODE),
        (None, "en-US", None, None),
        ("rel-as-link", "en-US", None, None),
    ],
)
def test_a_page_gives_codes_as_the_profile_says(
    service: Any, listed: dict[str, Any], codes: dict[str, str], profile: str | None, language: str, part: str | None,
    named: str | None,
) -> None:  # fmt: skip
    params = {"f": "json"} | ({"profile": profile} if profile else {})
    answer = _asked(service, PARCELS, params, accept_language=language)
    assert answer.status_code == 200, answer.text
    told = {feature["id"]: feature["properties"]["dlbm"] for feature in answer.json()["features"]}
    assert told == {key: listed[code]["title"][part] if part else code for key, code in codes.items()}
    assert _links(answer) == ([named] if named else [])
    assert answer.headers.get("content-language") == part
    assert ("Accept-Language" in answer.headers.get("vary", "")) == (part is not None)
    following = next(link["href"] for link in answer.json()["links"] if link["rel"] == "next")
    second = httpx.get(following, headers={"accept-language": language}, trust_env=False).json()["features"]
    values = {feature["properties"]["dlbm"] for feature in second}
    assert values <= ({code["title"][part] for code in listed.values()} if part else set(listed))


def test_tags_differ_by_profile_and_language(service: Any) -> None:
    def tag(path: str, profile: str, language: str) -> str:
        for _ in range(50):
            answer = _asked(service, path, {"f": "json", "profile": profile}, accept_language=language)
            if "etag" in answer.headers:
                return answer.headers["etag"]
        raise AssertionError("no tag was given")

    asked = [("val-as-code", "zh"), ("val-as-title", "zh"), ("val-as-title", "en")]
    assert len({tag(PARCELS, *each) for each in asked}) == 3
    assert tag(PARCELS, "val-as-code", "zh") == tag(PARCELS, "val-as-code", "en")


def test_one_feature_is_told_alike_and_its_tag_still_locks_it(
    client: Any, service: Any, listed: dict[str, Any], codes: dict[str, str]
) -> None:
    key, code = next(iter(codes.items()))
    path = f"{PARCELS}/{key}"
    answers = {
        profile: httpx.get(f"{service.url}{path}", params={"f": "json", "profile": profile}, trust_env=False)
        for profile in ("val-as-code", "val-as-title")
    }
    assert answers["val-as-title"].json()["properties"]["dlbm"] == listed[code]["title"]["zh"]
    assert answers["val-as-code"].json()["properties"]["dlbm"] == code
    assert _links(answers["val-as-title"]) == [AS_TITLE]
    tags = [answer.headers["etag"] for answer in answers.values()]
    assert tags[0] != tags[1]
    assert tags[0].partition("-")[0] == tags[1].partition("-")[0], "If-Match looks at the state, before the dash"


def test_pages_for_readers_say_what_codes_mean(client: Any, listed: dict[str, Any], codes: dict[str, str]) -> None:
    key, code = next(iter(codes.items()))
    for path in (PARCELS, f"{PARCELS}/{key}"):
        for language, part in (("zh", "zh"), ("en-US", "en")):
            page = client.get(path, f="html", lang=language).text
            assert f'<span title="{code}">{listed[code]["title"][part]}</span>' in page
        plain = client.get(path, f="html", profile="val-as-code").text
        assert f"<td>{code}</td>" in plain
        assert f'<span title="{code}">' not in plain


@pytest.mark.parametrize("form", ["jsonfg", "jsonl"])
def test_features_as_text_say_what_codes_mean(
    client: Any, listed: dict[str, Any], codes: dict[str, str], form: str
) -> None:
    text = client.get(PARCELS, f=form, limit=50, profile="val-as-title", lang="en-US").text
    features = json.loads(text)["features"] if form == "jsonfg" else [json.loads(line) for line in text.splitlines()]
    told = {feature["id"]: feature["properties"]["dlbm"] for feature in features}
    assert told == {key: listed[code]["title"]["en"] for key, code in codes.items()}


def test_profiles_are_told_of(client: Any) -> None:
    paths = client.get("/openapi", f="json").json["paths"]
    for path in ("/collections/{collectionId}/items", "/collections/{collectionId}/items/{featureId}"):
        assert {"$ref": "#/components/parameters/profile"} in paths[path]["get"]["parameters"]
    queryables = client.get("/collections/parcels/queryables", f="json")
    assert queryables.headers["link"] == ('<http://www.opengis.net/def/profile/OGC/0/codelist-inline>; rel="profile"')
