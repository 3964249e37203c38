"""What the parts of a site check's answer are called, for its description and the pages.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from shikong.layers import catalog


def _part(zh: str, en: str, **more: Any) -> dict[str, Any]:
    return {"title": {"zh": zh, "en": en}, **more}


def _rows(zh: str, en: str, **columns: dict[str, Any]) -> dict[str, Any]:
    return _part(zh, en, type="array", items={"type": "object", "properties": columns})


_AREA, _SHARE = _part("面积（m²）", "Area (m²)"), _part("占用地比例", "Share of the site")
_LAYER, _VERDICT = _part("图层", "Layer"), _part("结论", "Verdict")
_VERDICT_CODE = _part("结论代码", "Verdict (code)")
_RULE, _TITLE = _part("规则代码", "Rule (code)"), _part("名称", "Name")
_BASIS, _COUNTY = _part("依据", "Legal basis"), _part("县（市、区）", "County")

_CHECK = catalog.default().site_check
assert _CHECK is not None
_PLOTS = catalog.default().layer(_CHECK.plots).fields
_INDICATORS = {name: {"title": _PLOTS[name].title.model_dump()} for name in _CHECK.indicators}

#: By name, in the order in which the answer has them.
PARTS: dict[str, Any] = {
    "asked": _part("审查时间", "Checked at"),
    "datetime": _part("数据时点", "As it was at"),
    "asOf": _part("知悉时点", "As known at"),
    "verdict": _VERDICT_CODE,
    "verdict_title": _VERDICT,
    "project": _part("项目类型代码", "Type of project (code)"),
    "project_title": _part("项目类型", "Type of project"),
    "site": _part("用地", "Site", type="object", properties={
        "area_m2": _AREA, "area_mu": _part("面积（亩）", "Area (mu)"), "crs": _part("坐标系", "CRS"),
        "crs_from": _part("坐标系的认定", "Where the CRS is known from"),
        "bbox": _part("四至", "Extent"), "outside_m2": _part("市域以外（m²）", "Outside of the city (m²)"),
        "geometry": _part("范围", "Outline"),
        "counties": _rows("所在县（市、区）", "Lies in", code=_part("代码", "Code"), name=_COUNTY, area_m2=_AREA),
    }),
    "findings": _rows(
        "审查意见", "Findings", rule=_RULE, title=_part("规则", "Rule"), verdict=_VERDICT_CODE, verdict_title=_VERDICT,
        layer=_LAYER, area_m2=_AREA, share=_SHARE, features=_part("要素", "Features"), basis=_BASIS,
        advice=_part("办理建议", "Advice"),
        nearest=_rows("最近距离", "Nearest", id=_part("要素", "Feature"), distance_m=_part("距离（m）", "Distance")),
    ),
    "layers": _rows(
        "各图层压占", "Overlap with each layer", layer=_LAYER, title=_TITLE, area_m2=_AREA, share=_SHARE,
        features=_part("要素数", "Features"), classes=_rows(
            "类别", "Classes", code=_part("代码", "Code"), system=_part("代码表", "Code list"), title=_TITLE,
            area_m2=_AREA, share=_SHARE,
        ),
    ),
    "indicators": _rows("地块规划指标", "Plan indicators", plot=_part("地块", "Plot"), area_m2=_AREA, share=_SHARE,
                        **{"class": _part("用途代码", "Class")}, **_INDICATORS),
    "quotas": _rows(
        "用地指标", "Quotas", county=_COUNTY, kind=_part("指标代码", "Quota (code)"), title=_part("指标", "Quota"),
        planned_ha=_part("规划（公顷）", "Planned (ha)"), used_ha=_part("已用（公顷）", "Used (ha)"),
        left_ha=_part("剩余（公顷）", "Left (ha)"), site_ha=_part("本用地（公顷）", "Site (ha)"),
        limit=_part("性质", "Kind of limit"), period=_part("期限", "Period"),
    ),
    "rules": _rows(
        "所审查的规则", "Rules that were checked", rule=_RULE, title=_part("规则", "Rule"), layer=_LAYER, basis=_BASIS,
        result=_part("结果", "Result"), verdict=_part("触及时的结论", "Verdict where it is broken"),
    ),
    "releases": _part("所用数据的版本", "Releases of the data"),
    "generated": _part("样例图层", "Layers that are samples"),
    "features": _part("触及规则的图斑", "What of the site breaks rules"),
}  # fmt: skip
