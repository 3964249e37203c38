"""JSON Schemas of the declarations, for editors (the first line of each YAML file names its schema).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from pathlib import Path

from shikong.layers.code_lists import CodeList, Crosswalk
from shikong.layers.conflict_rules import ConflictRules
from shikong.layers.coordination import Coordination
from shikong.layers.declared import Declared
from shikong.layers.find_rules import SiteFind
from shikong.layers.forecasts import Forecasts
from shikong.layers.model import City, Layer
from shikong.layers.reservoirs import Reservoirs
from shikong.layers.site_rules import SiteCheck
from shikong.layers.warning_rules import WarningRules

MODELS: dict[str, type[Declared]] = {
    "layer": Layer,
    "code_list": CodeList,
    "crosswalk": Crosswalk,
    "city": City,
    "conflict_rules": ConflictRules,
    "site_check": SiteCheck,
    "site_find": SiteFind,
    "coordination": Coordination,
    "warning_rules": WarningRules,
    "reservoirs": Reservoirs,
    "forecasts": Forecasts,
}


def render(model: type[Declared]) -> str:
    """One model as JSON Schema text."""
    return json.dumps(model.model_json_schema(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def write(folder: Path) -> None:
    """Write every schema into a folder."""
    folder.mkdir(exist_ok=True)
    for name, model in MODELS.items():
        (folder / f"{name}.schema.json").write_text(render(model), encoding="utf-8")
