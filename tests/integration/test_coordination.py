"""Coordination between departments: who sees what, which steps can be taken, and what is written down of them.

The workflow of the declarations is compared with a table of its own, which says for every state and every asker what
must happen; what others have written is looked for in every answer that a department can get.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import psycopg
import pytest
import shapely

from shikong.cli.accounts import roles_of
from shikong.ingest import edits
from shikong.ingest.edit_errors import FeatureExists, NoSuchFeature, NotTaken, NotYours
from shikong.ingest.edits import Operation
from shikong.ingest.errors import IngestError
from shikong.layers import catalog
from shikong.processes.conflicts import runs
from shikong.processes.coordination import cases, lapse, tasks
from shikong.server.routes import routes
from shikong.store import accounts
from shikong.store.database import Database
from shikong.store.principal import Principal, acting_as
from support.loads import load, write_county

CASES, OPINIONS = "coordination_cases", "coordination_opinions"
SITE = shapely.box(115.905, 36.405, 115.915, 36.415)
SECRET = "水库大坝监测井不得占用-0731"
TODAY = cases.today(catalog.default())
WHO = {
    "planner": ("planner",), "water": ("department-water",), "agriculture": ("department-agriculture",),
    "culture": ("department-culture",),
}  # fmt: skip


@pytest.fixture(scope="module")
def store(make_store: Callable[[Path], Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A county with farmland on which a site lies."""
    folder = tmp_path_factory.mktemp("coordination")
    found = make_store(folder)
    load(found, write_county(folder / "d.gpkg"), "districts")
    write(folder / "f.gpkg", {"code": ["F1"]}, [shapely.box(115.90, 36.40, 115.91, 36.41)])
    load(found, folder / "f.gpkg", "permanent_farmland")
    return found


def write(path: Path, columns: dict[str, list[str]], shapes: list[Any]) -> None:
    gpd.GeoDataFrame(columns, geometry=shapes, crs=4490).to_file(path)


@pytest.fixture(scope="module")
def tokens(store: Database) -> dict[str, str]:
    with store.thread_session() as conn:
        return {name: accounts.add(conn, name, roles, None) for name, roles in WHO.items()}


@pytest.fixture(scope="module")
def url(store: Database, run_service: Callable[..., Any]) -> Iterator[str]:
    dsn = store.settings.database_url
    assert dsn is not None
    with run_service(dsn, store.settings.data, SHIKONG_EDITING="roles") as service:
        yield service.url


@pytest.fixture(scope="module")
def people(url: str, tokens: dict[str, str]) -> Iterator[dict[str, httpx.Client]]:
    """A client for each who signs in, and for nobody."""
    options: dict[str, Any] = {"base_url": url, "timeout": 60, "trust_env": False}
    found = {
        name: httpx.Client(headers={"authorization": f"Bearer {token}"}, **options) for name, token in tokens.items()
    }
    found["nobody"] = httpx.Client(**options)
    yield found
    for client in found.values():
        client.close()


def ask(client: httpx.Client, process: str, **inputs: Any) -> httpx.Response:
    return client.post(f"/processes/{process}/execution", json={"inputs": inputs})


def opened(people: dict[str, httpx.Client], **more: Any) -> dict[str, Any]:
    inputs = {"name": "污水处理厂", "project": "utility", "site": shapely.geometry.mapping(SITE),
              "departments": ["water"], **more}  # fmt: skip
    answer = ask(people["planner"], "coordination-open", **inputs)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def give(client: httpx.Client, code: str, step: str = "agree", **more: Any) -> httpx.Response:
    return ask(client, "coordination-step", code=code, step=step, **{"opinion": "无意见", **more})


def lead(people: dict[str, httpx.Client], case: str, step: str, **more: Any) -> httpx.Response:
    return ask(people["planner"], "coordination-step", code=case, step=step, **more)


def everyone_agrees(people: dict[str, httpx.Client], case: dict[str, Any], store: Database) -> None:
    """All opinions on a case are given; for departments without a client of their own by the store itself."""
    for each in case["departments"]:
        name = each["department"]
        if name not in people:
            with store.thread_session() as conn:
                token = accounts.add(conn, name, [f"department-{name}"], None, renew=True)
            people[name] = httpx.Client(
                base_url=people["nobody"].base_url, timeout=60, trust_env=False, headers={"authorization": f"Bearer {token}"}
            )  # fmt: skip
        answer = give(people[name], each["opinion"])
        assert answer.status_code == 200, answer.text


def test_the_departments_concerned_are_asked_and_why(people: dict[str, httpx.Client]) -> None:
    case = opened(people)
    why = {each["department"]: each["because_of"] for each in case["departments"]}
    assert why == {"natural_resources": [], "development": [], "agriculture": ["permanent_farmland"], "water": []}
    assert case["verdict"] == "conditional"  # linear and utility projects may be eased on farmland
    assert case["due_on"] == (TODAY + datetime.timedelta(days=15)).isoformat()
    told = ask(people["planner"], "coordination-status", case=case["case"]).json()["cases"][0]
    assert {each["department"] for each in told["opinions"]} == set(why)
    assert {each["state"] for each in told["opinions"]} == {"asked"}
    assert [step["step"] for step in told["steps"]] == ["open"]
    assert told["steps"][0]["by"] == "planner"


def test_a_department_sees_its_own_opinion_and_no_other(people: dict[str, httpx.Client], tokens: Any, url: str) -> None:
    case = opened(people)
    code = f"{case['case']}-water"
    answer = give(people["water"], code, "object", opinion=SECRET, basis="《防洪法》", note=SECRET)
    assert answer.status_code == 200, answer.text
    assert people["water"].get(f"/collections/{OPINIONS}/items/{code}").json()["properties"]["opinion"] == SECRET
    assert people["planner"].get(f"/collections/{OPINIONS}/items/{code}").json()["properties"]["opinion"] == SECRET
    listed = people["agriculture"].get(f"/collections/{OPINIONS}/items", params={"limit": 1000}).json()
    assert {each["properties"]["department"] for each in listed["features"]} == {"agriculture"}
    assert listed.get("numberMatched", len(listed["features"])) == len(listed["features"])
    for path in ("", "/lineage", "/versions", "/steps", "/attachments"):
        assert people["agriculture"].get(f"/collections/{OPINIONS}/items/{code}{path}").status_code == 404, path
        assert people["nobody"].get(f"/collections/{OPINIONS}/items/{code}{path}").status_code == 401, path
    own = people["agriculture"].get(f"/collections/{OPINIONS}/items/{case['case']}-agriculture/lineage").json()
    assert own["versions"]


def test_nothing_that_a_department_writes_reaches_others(people: dict[str, httpx.Client]) -> None:
    """Every address that can be read is read as another department and as nobody, in every format."""
    case = opened(people)
    code = f"{case['case']}-water"
    assert give(people["water"], code, "object", opinion=SECRET, basis=SECRET, note=SECRET).status_code == 200
    posted = people["water"].post(
        f"/collections/{OPINIONS}/items/{code}/attachments", params={"name": "意见.txt"}, content=SECRET.encode()
    )
    assert posted.status_code == 201, posted.text
    number = str(posted.json()["id"])
    fill = {"collection_id": OPINIONS, "item_id": code, "attachment": number, "process_id": "coordination-status",
            "tileMatrixSetId": "WebMercatorQuad", "tileMatrix": "0", "tileRow": "0", "tileCol": "0", "style_id": OPINIONS,
            "theme": "planning", "archive": "x", "release": "1", "location_id": "x", "job_id": "1"}  # fmt: skip
    paths = set()
    for route in routes(None):  # type: ignore[arg-type]
        # A stream of events has no end; it tells of warnings and of nothing else.
        if "GET" in (route.methods or ()) and route.path != "/warnings/events":
            paths.add(re.sub(r"\{(\w+)(:\w+)?\}", lambda found: fill.get(found[1], "1"), route.path))
    assert f"/collections/{OPINIONS}/items/{code}/attachments/{number}" in paths
    pages = [{}, {"f": "json"}, {"f": "html"}, {"asOf": "2999-01-01T00:00:00Z"}, {"collections": OPINIONS}]
    files = [{"f": form} for form in ("csv", "geojsonl", "fgb", "gpkg", "jsonld", "xlsx")]
    seen = 0
    for path in sorted(paths):
        for query in [*pages, *(files if "/items" in path else [])]:
            for who in ("culture", "nobody") if query in pages[:2] else ("culture",):
                answer = people[who].get(path, params=query)
                assert SECRET.encode() not in answer.content, (who, path, query)
                assert answer.status_code < 500, (who, path, query, answer.text)
            seen += SECRET.encode() in people["water"].get(path, params=query).content
    assert seen > 5  # the secret would have been found: who may see it does
    for process in ("what-is-here", "site-check", "plan-conflicts"):
        inputs = {"what-is-here": {"lon": 115.91, "lat": 36.41}, "plan-conflicts": {"a": OPINIONS, "b": CASES},
                  "site-check": {"site": shapely.geometry.mapping(SITE), "project": "utility"}}[process]  # fmt: skip
        for who in ("culture", "nobody"):
            assert SECRET.encode() not in ask(people[who], process, **inputs).content, process


def test_a_department_edits_its_own_opinion_only(people: dict[str, httpx.Client]) -> None:
    case = opened(people)
    address = f"/collections/{OPINIONS}/items/{case['case']}-water"
    change = {"properties": {"state": "agreed", "opinion": "同意"}}
    headers = {"content-type": "application/merge-patch+json"}
    for who, status in (("agriculture", 404), ("nobody", 401), ("planner", 403), ("water", 200)):
        assert people[who].patch(address, json=change, headers=headers).status_code == status, who
    stolen = {"properties": {"department": "culture", "state": "agreed", "opinion": "x"}}
    assert people["water"].patch(address, json=stolen, headers=headers).status_code == 403
    assert people["water"].delete(address).status_code == 409
    made = {"type": "Feature", "geometry": shapely.geometry.mapping(SITE), "id": "X",
            "properties": {"case": case["case"], "department": "water", "state": "asked", "due_on": "2030-01-01"}}  # fmt: skip
    headers = {"content-type": "application/geo+json"}
    assert people["water"].post(f"/collections/{OPINIONS}/items", json=made, headers=headers).status_code == 403
    case_address = f"/collections/{CASES}/items/{case['case']}"
    closing = {"properties": {"state": "withdrawn"}}
    assert people["water"].patch(case_address, json=closing, headers=headers).status_code in (403, 415)
    other = people["water"].get(f"/collections/{CASES}/items/{case['case']}").json()
    assert other["properties"]["state"] == "circulated"
    assert people["culture"].get(f"/collections/{CASES}/items/{case['case']}").status_code == 404


def test_rows_of_others_are_safe_without_a_workflow_too(people: dict[str, httpx.Client], store: Database) -> None:
    """A layer of rows of one's own, on which no step stands in the way."""
    city = catalog.default()
    case = opened(people)["case"]
    bare = city.layer(OPINIONS).model_copy(update={"workflow": None})
    plain = {"case": case, "state": "asked", "due_on": f"{TODAY}"}

    def tried(action: Any, key: str, **values: str) -> Any:
        operation = Operation(bare, action, key, None, values, SITE, shape_given=action == "create")
        with acting_as(Principal("water", ("department-water",))):
            try:
                return edits.apply(store, city, [operation], lenient=False)[0].release
            except NotTaken as refused:
                return type(refused.outcomes[0].error)

    assert tried("create", f"{case}-agriculture", **plain, department="water") is FeatureExists
    assert tried("create", f"{case}-new", **plain, department="culture") is NotYours
    assert tried("update", f"{case}-agriculture", opinion="x") is NoSuchFeature
    assert tried("update", f"{case}-water", department="culture") is NotYours
    assert tried("delete", f"{case}-agriculture") is NoSuchFeature
    assert isinstance(tried("update", f"{case}-water", opinion="同意"), int)


def test_a_case_goes_its_way_over_transactions_too(people: dict[str, httpx.Client]) -> None:
    """A client that knows nothing of the processes: a case and its opinion are opened, given and closed as features."""
    shape, due = shapely.geometry.mapping(SITE), f"{TODAY + datetime.timedelta(days=5)}"

    def made(layer: str, key: str, **values: str) -> dict[str, Any]:
        body = {"type": "Feature", "id": key, "geometry": shape, "properties": values}
        return {"collection": layer, "method": "POST", "body": body}

    def changed(layer: str, key: str, **values: str) -> dict[str, Any]:
        return {"collection": layer, "method": "PATCH", "id": key, "body": {"properties": values}}

    def send(who: str, *operations: dict[str, Any]) -> httpx.Response:
        return people[who].post("/transactions", json={"operations": operations})

    case = made(CASES, "XT-T", name="泵站", type="water", state="circulated", departments="water", due_on=due)
    opinion = made(OPINIONS, "XT-T-water", case="XT-T", department="water", state="asked", due_on=due)
    for who, operations, status in (
        ("water", (case, opinion), 403),
        ("planner", (opinion, case), 422),  # an opinion needs its case
        ("planner", (case, opinion | {"body": {**opinion["body"], "properties": {"state": "agreed"}}}), 409),
        ("planner", (case, opinion), 201),
        ("planner", (case, opinion), 409),  # they are there already
        ("water", (changed(OPINIONS, "XT-T-water", state="agreed"),), 409),  # says nothing
        ("culture", (changed(OPINIONS, "XT-T-water", state="agreed", opinion="同意"),), 404),
        ("planner", (changed(CASES, "XT-T", state="agreed"),), 409),  # the opinion is missing
        ("water", (changed(OPINIONS, "XT-T-water", state="agreed", opinion="同意"),), 200),
        ("planner", (changed(CASES, "XT-T", state="agreed", name="别的"),), 409),  # sets more than the step may
        ("planner", (changed(CASES, "XT-T", state="agreed"),), 200),
        ("planner", (changed(CASES, "XT-T", state="circulated"),), 409),  # it is closed
    ):
        answer = send(who, *operations)
        assert answer.status_code == status, (who, operations, answer.text)
    told = people["planner"].get(f"/collections/{CASES}/items/XT-T").json()["properties"]
    assert (told["state"], told["closed_on"], told["opened_on"]) == ("agreed", str(TODAY), str(TODAY))
    steps = people["planner"].get(f"/collections/{CASES}/items/XT-T/steps").json()["steps"]
    assert [each["step"] for each in steps] == ["open", "agree"]


#: From each state of a case: what each step comes to where no opinion is missing.
LAWFUL = {
    "circulated": {"extend": "circulated", "return": "returned", "agree": "agreed", "refuse": "refused",
                   "withdraw": "withdrawn"},
    "returned": {"recirculate": "circulated", "withdraw": "withdrawn"},
    "agreed": {}, "refused": {}, "withdrawn": {},
}  # fmt: skip
WAY = {"circulated": [], "returned": ["return"], "agreed": ["agree"], "refused": ["refuse"], "withdrawn": ["withdraw"]}


@pytest.mark.parametrize("state", LAWFUL)
def test_only_lawful_steps_can_be_taken(people: dict[str, httpx.Client], store: Database, state: str) -> None:
    workflow = catalog.default().layer(CASES).workflow
    assert workflow is not None
    for step in [name for name, each in workflow.steps.items() if each.when]:
        case = opened(people)
        everyone_agrees(people, case, store)
        for way in WAY[state]:
            assert lead(people, case["case"], way).status_code == 200
        answer = lead(people, case["case"], step)
        if step in LAWFUL[state]:
            assert (answer.status_code, answer.json()["state"]) == (200, LAWFUL[state][step]), (step, answer.text)
        else:
            assert answer.status_code == 409, (step, answer.text)
        with psycopg.connect(str(store.settings.database_url)) as conn:
            query = "SELECT step, after FROM shikong.step WHERE layer = %s AND key = %s ORDER BY id"
            taken = conn.execute(query, (CASES, case["case"])).fetchall()
        assert [name for name, _ in taken] == ["open", *WAY[state], *([step] if step in LAWFUL[state] else [])]


def test_a_case_is_closed_only_by_what_the_departments_say(people: dict[str, httpx.Client], store: Database) -> None:
    case = opened(people)
    refused = lead(people, case["case"], "agree")
    assert refused.status_code == 409
    assert "coordination_opinions to be agreed or conditional or lapsed" in refused.json()["detail"]
    everyone_agrees(people, case, store)
    water = f"{case['case']}-water"
    assert give(people["water"], water, "object").status_code == 409  # needs a basis
    assert give(people["water"], water, "object", basis="《水法》第三十八条").status_code == 200
    assert lead(people, case["case"], "agree").status_code == 409
    assert give(people["water"], water, "agree_on_conditions", conditions="作防洪评价").status_code == 200
    assert lead(people, case["case"], "agree").json()["state"] == "agreed"
    late = give(people["water"], water)
    assert late.status_code == 409
    assert "to be circulated; it is agreed" in late.json()["detail"]
    steps = people["water"].get(f"/collections/{OPINIONS}/items/{water}/steps").json()
    assert [each["step"] for each in steps["steps"]] == ["ask", "agree", "object", "agree_on_conditions"]
    versions = people["water"].get(f"/collections/{OPINIONS}/items/{water}/versions").json()["versions"]
    assert len(versions) == 4
    first = people["water"].get(f"/collections/{OPINIONS}/items/{water}", params={"asOf": versions[0]["start"]})
    assert first.json()["properties"]["state"] == "asked"


def test_a_changed_site_goes_round_again_and_asks_whom_it_newly_concerns(
    people: dict[str, httpx.Client], store: Database
) -> None:
    case = opened(people, site=shapely.geometry.mapping(shapely.box(116.0, 36.5, 116.01, 36.51)))
    assert "agriculture" not in {each["department"] for each in case["departments"]}
    everyone_agrees(people, case, store)
    assert lead(people, case["case"], "return", note="请避让").status_code == 200
    moved = shapely.geometry.mapping(SITE)
    again = lead(people, case["case"], "recirculate", site=moved, due_on=f"{TODAY + datetime.timedelta(days=3)}")
    assert again.status_code == 200, again.text
    told = ask(people["planner"], "coordination-status", case=case["case"]).json()["cases"][0]
    states = {each["department"]: (each["state"], each["opinion"]) for each in told["opinions"]}
    assert states == dict.fromkeys(("natural_resources", "development", "water", "agriculture"), ("asked", None))
    item = people["agriculture"].get(f"/collections/{OPINIONS}/items/{case['case']}-agriculture").json()
    assert shapely.geometry.shape(item["geometry"]).symmetric_difference(SITE).area < 1e-9
    assert [step["note"] for step in told["steps"]] == [None, "请避让", None]


def test_opinions_lapse_once_their_day_is_over(people: dict[str, httpx.Client], store: Database) -> None:
    case = opened(people)
    code = f"{case['case']}-water"
    early = lead(people, code, "lapse")
    assert early.status_code == 409
    assert "once due_on" in early.json()["detail"]
    with psycopg.connect(str(store.settings.database_url), autocommit=True) as conn:
        query = f"UPDATE data.{OPINIONS} SET due_on = %s WHERE code = %s"
        conn.execute(query.encode(), (TODAY - datetime.timedelta(days=1), code))
    told = ask(people["planner"], "coordination-status", case=case["case"]).json()
    assert told["overdue"] == 1
    city = catalog.default()
    assert lapse.overdue(store, city) == [code]
    with acting_as(Principal("worker:test", ("worker",))):
        assert lapse.due(store, city) is not None
        assert lapse.work(store, city, lambda done, total: None) == "1 opinions were not given in time"
        assert lapse.due(store, city) is None
    steps = people["planner"].get(f"/collections/{OPINIONS}/items/{code}/steps").json()["steps"]
    assert [(step["step"], step["by"]) for step in steps] == [("ask", "planner"), ("lapse", "worker:test")]


def test_files_are_kept_as_they_were_handed_in(people: dict[str, httpx.Client], store: Database) -> None:
    case = opened(people)
    address = f"/collections/{OPINIONS}/items/{case['case']}-water/attachments"
    content = bytes(range(256)) * 400
    posted = people["water"].post(address, params={"name": "批复 (1).pdf"}, content=content)
    assert posted.status_code == 201
    got = people["planner"].get(posted.headers["location"])
    assert got.content == content
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "attachment" in got.headers["content-disposition"]
    value = base64.b64encode(b"%PDF-1.7").decode()
    given = give(people["water"], f"{case['case']}-water", file={"name": "意见.pdf", "value": value})
    assert [each["name"] for each in given.json()["attachments"]] == ["批复 (1).pdf", "意见.pdf"]
    for name, body, status in (("a.html", b"<script>", 400), ("../a.pdf", b"x", 400), ("a.pdf", b"", 400),
                               ("", b"x", 400), ("a.pdf", b"x" * 20_000_001, 413)):  # fmt: skip
        assert people["water"].post(address, params={"name": name}, content=body).status_code == status, name
    assert people["culture"].post(address, params={"name": "a.pdf"}, content=b"x").status_code == 404
    assert people["nobody"].post(address, params={"name": "a.pdf"}, content=b"x").status_code == 401
    assert lead(people, case["case"], "withdraw").status_code == 200
    with psycopg.connect(str(store.settings.database_url)) as conn:
        for table in ("step", "attachment"):
            for statement in ("DELETE FROM", "TRUNCATE"):
                with pytest.raises(psycopg.errors.RaiseException), conn.transaction():
                    conn.execute(f"{statement} shikong.{table}".encode())


def test_who_signs_in(people: dict[str, httpx.Client], store: Database, tokens: dict[str, str], url: str) -> None:
    basic = httpx.BasicAuth("anything", tokens["water"])
    with httpx.Client(base_url=url, trust_env=False) as client:
        account = client.get("/account", params={"f": "json"}, auth=basic).json()
        assert account == {"name": "water", "roles": ["department-water"], "signedIn": True}
        for wrong in ("Bearer nonsense", "Basic !!!", "Digest x", "Bearer  x"):
            refused = client.get("/account", headers={"authorization": wrong})
            assert refused.status_code == 401, wrong
            assert refused.headers["www-authenticate"].startswith("Basic")
        assert client.get("/account", params={"f": "json"}).json()["signedIn"] is False
        form = client.post("/account", data={"token": tokens["culture"]})
        assert form.status_code == 303
        assert "HttpOnly" in form.headers["set-cookie"]
        assert "samesite=strict" in form.headers["set-cookie"].lower()
        assert client.get("/account", params={"f": "json"}).json()["name"] == "culture"
        across = client.post("/account/sign-out", headers={"sec-fetch-site": "cross-site"})
        assert across.status_code == 403
        client.post("/account/sign-out")
        assert client.get("/account", params={"f": "json"}).json()["signedIn"] is False
        assert client.post("/account", data={"token": "nonsense"}).status_code == 401


def test_a_revoked_or_expired_token_is_worth_nothing_at_once(store: Database, url: str) -> None:
    with store.thread_session() as conn:
        short = accounts.add(conn, "gone", ["planner"], datetime.timedelta(seconds=-1))
        revoked = accounts.add(conn, "revoked", ["planner"], None)
        with pytest.raises(accounts.BadAccount, match="--renew"):
            accounts.add(conn, "revoked", ["planner"], None)
    with httpx.Client(base_url=url, trust_env=False) as client:
        asked = {"f": "json"}
        assert client.get("/account", params=asked, headers={"authorization": f"Bearer {short}"}).status_code == 401
        assert client.get("/account", params=asked, headers={"authorization": f"Bearer {revoked}"}).status_code == 200
        with store.thread_session() as conn:
            accounts.revoke(conn, "revoked")
        assert client.get("/account", params=asked, headers={"authorization": f"Bearer {revoked}"}).status_code == 401
    with psycopg.connect(str(store.settings.database_url)) as conn:
        kept = conn.execute("SELECT row_to_json(a)::text FROM shikong.account AS a").fetchall()
    assert not any(token in text for (text,) in kept for token in (short, revoked))


def test_caches_do_not_carry_rows_from_one_to_another(people: dict[str, httpx.Client]) -> None:
    opened(people)
    answers = {who: people[who].get(f"/collections/{OPINIONS}/items") for who in ("water", "agriculture", "planner")}
    assert all(answer.headers["cache-control"].startswith("private") for answer in answers.values())
    tags = {answer.headers["etag"] for answer in answers.values()}
    assert len(tags) == 3
    stale = people["agriculture"].get(
        f"/collections/{OPINIONS}/items", headers={"if-none-match": answers["planner"].headers["etag"]}
    )
    assert stale.status_code == 200


def test_conflicts_are_assigned_settled_and_end_with_their_conflict(
    people: dict[str, httpx.Client], store: Database, tmp_path: Path
) -> None:
    city = catalog.default()
    zone = {"code": ["Z1"], "name": ["区"], "ghfldm": ["1001"]}
    write(tmp_path / "z.gpkg", zone, [shapely.box(115.90, 36.40, 115.905, 36.405)])
    load(store, tmp_path / "z.gpkg", "planning_zones")
    runs.update(store, city, lambda done, total: None)
    conflicts = people["nobody"].get("/collections/plan_conflicts/items").json()["features"]
    keys = {each["id"] for each in conflicts if not each["properties"]["sliver"]}
    assert keys
    assert ask(people["nobody"], "conflict-assign", department="agriculture").status_code == 401
    assert ask(people["water"], "conflict-assign", department="agriculture").status_code == 403
    assert ask(people["planner"], "conflict-assign", department="navy").status_code == 400
    wrong = ask(people["planner"], "conflict-assign", department="agriculture", conflicts=["none"])
    assert (wrong.status_code, "no such conflict" in wrong.text) == (400, True)
    assigned = ask(people["planner"], "conflict-assign", department="agriculture", note="限期核实").json()
    assert (set(assigned["tasks"]), assigned["assigned"], assigned["left"]) == (keys, len(keys), 0)
    assert ask(people["planner"], "conflict-assign", department="water").json()["assigned"] == 0
    code = assigned["tasks"][0]
    address = f"/collections/conflict_tasks/items/{code}"
    assert people["water"].get(address).status_code == 404
    task = people["agriculture"].get(address).json()
    conflict = people["nobody"].get(f"/collections/plan_conflicts/items/{code}").json()
    assert shapely.geometry.shape(task["geometry"]).equals(shapely.geometry.shape(conflict["geometry"]))
    headers = {"content-type": "application/merge-patch+json"}

    def change(who: str, **properties: str) -> int:
        return people[who].patch(address, json={"properties": properties}, headers=headers).status_code

    assert change("agriculture", state="reported") == 409  # says nothing of the measure
    assert change("agriculture", state="reported", measure="调出永久基本农田") == 200
    assert change("agriculture", state="closed") == 403
    assert change("planner", state="working") == 200
    with acting_as(Principal("worker:test", ("worker",))):
        assert tasks.due(store, city) is None
        write(tmp_path / "z.gpkg", zone, [shapely.box(116.0, 36.5, 116.001, 36.501)])
        load(store, tmp_path / "z.gpkg", "planning_zones")
        runs.update(store, city, lambda done, total: None)
        assert tasks.due(store, city) is not None
        assert tasks.work(store, city, lambda done, total: None) == f"{len(keys)} tasks ended: their conflicts are gone"
        assert tasks.due(store, city) is None
    steps = people["planner"].get(f"{address}/steps").json()
    assert steps["state"] == "resolved"
    assert [each["step"] for each in steps["steps"]] == ["assign", "report", "send_back", "resolve"]
    assert steps["steps"][0]["note"] == "限期核实"


@pytest.mark.parametrize(
    ("inputs", "status", "told"),
    [
        ({"departments": ["navy"]}, 400, "navy are no departments"),
        ({"due_on": "2020-01-01"}, 400, "is over"),
        ({"site": shapely.geometry.mapping(shapely.box(10, 10, 10.1, 10.1))}, 400, "outside of the city"),
        ({"name": ""}, 400, "name"),
    ],
)
def test_cases_that_cannot_be_are_refused(
    people: dict[str, httpx.Client], inputs: dict[str, Any], status: int, told: str
) -> None:
    whole = {"name": "厂", "project": "industry", "site": shapely.geometry.mapping(SITE), **inputs}
    answer = ask(people["planner"], "coordination-open", **whole)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text
    for who, refused in (("nobody", 401), ("water", 403)):
        whole = {"name": "厂", "project": "industry", "site": shapely.geometry.mapping(SITE)}
        assert ask(people[who], "coordination-open", **whole).status_code == refused


def test_steps_that_cannot_be_are_refused(people: dict[str, httpx.Client]) -> None:
    case = opened(people)
    code = f"{case['case']}-water"
    for who, inputs, status in (
        ("water", {"code": "XT-none"}, 400),
        ("culture", {"code": code}, 400),
        ("water", {"code": code, "step": "fly"}, 400),
        ("water", {"code": code, "step": "ask"}, 400),
        ("water", {"code": code, "opinion": None}, 409),
        ("water", {"code": code, "due_on": "2030-01-01"}, 400),
        ("water", {"code": case["case"], "step": "agree", "opinion": None}, 403),
        ("planner", {"code": code}, 403),
        ("nobody", {"code": code}, 401),
        ("water", {"code": code, "file": {"name": "x.exe", "value": "AAAA"}}, 400),
    ):
        wanted = {"step": "agree", "opinion": "同意", **inputs}
        answer = ask(people[who], "coordination-step", **{k: v for k, v in wanted.items() if v is not None})
        assert answer.status_code == status, (who, inputs, answer.text)
    assert people["water"].get(f"/collections/{OPINIONS}/items/{code}").json()["properties"]["state"] == "asked"


def test_features_with_a_workflow_are_not_loaded(store: Database, tmp_path: Path) -> None:
    write(tmp_path / "x.gpkg", {"code": ["X"]}, [SITE])
    with pytest.raises(IngestError, match="step by step"):
        load(store, tmp_path / "x.gpkg", OPINIONS)


def test_roles_come_from_the_declarations() -> None:
    may = roles_of(catalog.default())
    assert "coordination_opinions of 水利局" in may["department-water"]
    assert "edit parcels" in may["surveyor"] if "surveyor" in may else "edit planning_zones" in may["planner"]
