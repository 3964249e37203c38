"""The rules of the site compliance check (layers/site_check.yml): what on a site forbids a project, or asks for more.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shikong.layers.conflict_rules import Side, Sliver
from shikong.layers.declared import Declared, Identifier, Text

Verdict = Literal["forbidden", "conditional", "allowed"]

#: From the gravest on.
VERDICTS: tuple[Verdict, ...] = ("forbidden", "conditional", "allowed")


class SiteRule(Declared):
    """What holds where a site meets features of a layer, or lies too near to them."""

    title: Text
    land: Side
    verdict: Literal["forbidden", "conditional"]
    eased: tuple[str, ...] = Field((), description="project types for which `forbidden` is `conditional`")
    only: tuple[str, ...] = Field((), description="project types that the rule is about; all without")
    spared: tuple[str, ...] = Field((), description="project types that it is not about")
    fits: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="classes (with all below) that fit a project type; the rule is about land of any other class",
    )
    nearer_than: float = Field(0, ge=0, le=50_000, description="m; also about features that are not so far away")
    sliver: Sliver = Field(default_factory=lambda: Sliver.model_validate({}))
    basis: Text = Field(description="the law or rule that says so")
    advice: Text = Field(description="what to do about it")

    @model_validator(mode="after")
    def _for_some(self) -> Self:
        if self.only and self.spared:
            raise ValueError("give `only` or `spared`, not both")
        if self.fits and self.nearer_than:
            raise ValueError("`fits` is about the land itself, `nearer_than` about what lies around")
        return self

    def holds_for(self, project: str) -> bool:
        """Whether the rule is about a project type."""
        about = project in self.only if self.only else project not in self.spared
        return about and (not self.fits or project in self.fits)

    def verdict_for(self, project: str) -> Verdict:
        """What it says of a project type where it is broken."""
        return "conditional" if project in self.eased else self.verdict


class SiteCheck(Declared):
    """All rules, by id, and which layers tell what else applies to a site."""

    projects: Identifier = Field(description="the code list of project types")
    plots: Identifier = Field(description="the layer whose features carry plan indicators")
    indicators: tuple[Identifier, ...] = Field(description="its fields that are indicators")
    quotas: Identifier = Field(description="the layer of quotas, by district")
    map: tuple[Identifier, ...] = Field(description="the layers that a report's map shows around a site, from below up")
    rules: dict[Identifier, SiteRule]
