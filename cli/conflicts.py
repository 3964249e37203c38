"""`shikong conflicts`: what plans have in conflict, and bringing it up to date.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg import sql
from rich.table import Column, Table

from shikong.cli import schema
from shikong.cli.console import clear_errors, out, progress_bar
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.store import database, tables
from shikong.store.database import Database

if TYPE_CHECKING:
    from shikong.ingest.features import Progress
    from shikong.ingest.jobs.chores import Chore
    from shikong.processes.conflicts.runs import Outcome

app = typer.Typer(invoke_without_command=True, help="Conflicts between plans: how many by which rule, and since when.")

_BY_RULE = """
    SELECT rule, count(*) FILTER (WHERE NOT sliver), coalesce(sum(area) FILTER (WHERE NOT sliver), 0),
        count(*) FILTER (WHERE sliver), coalesce(sum(area) FILTER (WHERE sliver), 0),
        count(*) FILTER (WHERE _release = (SELECT max(id) FROM shikong.release WHERE layer = 'plan_conflicts'))
    FROM {table} GROUP BY rule
"""


@app.callback()
def by_rule(context: typer.Context) -> None:
    """Count them by rule when no command is given."""
    if context.invoked_subcommand is not None:
        return
    from shikong.processes.conflicts import runs

    with clear_errors():
        rules = catalog.default().conflicts.rules
        layer = catalog.default().layer(runs.LAYER)
        query = sql.SQL(_BY_RULE).format(table=tables.table(layer))
        columns = "severity", "title", "conflicts", "ha", "slivers", "m²", "of the newest release"
        table = Table(Column("rule", no_wrap=True), *columns)
        for name, number, area, slivers, sliver_area, fresh in database.default().thread_fetch(query):
            rule = rules.get(name)
            words = ("", "(no rule any more)") if rule is None else (rule.severity, rule.title.zh)
            counts = f"{number:,}", f"{area / 10_000:,.4f}", f"{slivers:,}", f"{sliver_area:,.2f}", f"{fresh:,}"
            table.add_row(name, *words, *counts)
        out.print(table)


@app.command()
def update(
    whole: Annotated[bool, typer.Option("--whole", help="find all of them anew, not only around what changed")] = False,
) -> None:
    """Find the conflicts as plans are now and publish what differs. Workers do so after each release."""
    with clear_errors():
        store = database.default()
        schema.bring_forward(store.settings)
        out.print(told(find(store, whole=whole)))


def find(store: Database, *, whole: bool = False) -> Outcome:
    """Bring the conflicts up to date under a progress bar."""
    from shikong.processes.conflicts import runs

    with progress_bar("plan conflicts") as (bar, task):
        return runs.update(
            store,
            catalog.default(),
            lambda done, total: bar.update(task, completed=done, total=total),
            whole=whole,
        )


def told(outcome: Outcome) -> str:
    """A run's outcome in a line."""
    how = "all plans" if outcome.whole else "what changed"
    published = "nothing differs" if outcome.release is None else f"release {outcome.release}"
    return f"{published}: {outcome.found:,} conflicts looked at, from {how}"


def chore(city: Catalog) -> Chore:
    """What workers do after releases of plans."""
    from shikong.ingest.jobs.chores import Chore
    from shikong.processes.conflicts import runs

    def work(store: Database, progress: Progress) -> str:
        return told(runs.update(store, city, progress))

    return Chore("conflicts", runs.LAYER, partial(runs.due, catalog=city, rules=runs.digest(city)), work)
