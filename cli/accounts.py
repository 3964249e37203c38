"""`shikong accounts`: who may sign in, and in which roles.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Column, Table

from shikong.cli import schema
from shikong.cli.console import clear_errors, out
from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.store import accounts, database
from shikong.store.access import OPERATOR
from shikong.store.accounts import BadAccount

app = typer.Typer(invoke_without_command=True, help="Accounts: who may sign in, and in which roles.")

Name = Annotated[str, typer.Argument(help="of the person or program, such as 水利局-李工", show_default=False)]


@app.callback()
def listing(context: typer.Context) -> None:
    """List them when no command is given."""
    if context.invoked_subcommand is not None:
        return
    with clear_errors():
        table = Table(Column("name", no_wrap=True), "roles", "since", "until", "revoked")
        for account in accounts.listing(database.default()):
            times = (account.created_at, account.expires_at, account.revoked_at)
            table.add_row(
                account.name, ", ".join(account.roles), *(f"{each:%Y-%m-%d}" if each else "" for each in times)
            )
        out.print(table)


@app.command()
def add(
    name: Name,
    role: Annotated[list[str], typer.Option(help="may be given several times; `shikong accounts roles` lists them")],
    days: Annotated[int, typer.Option(min=1, help="how long the token is good")] = 365,
    renew: Annotated[bool, typer.Option("--renew", help="a new token for an account that is there already")] = False,
) -> None:
    """Make an account and print its token, which is shown only now."""
    with clear_errors():
        if unknown := sorted(set(role) - set(roles_of(catalog.default()))):
            raise BadAccount(f"there is no role {', '.join(unknown)}; `shikong accounts roles` lists those there are")
        store = database.default()
        schema.bring_forward(store.settings)
        with store.thread_session() as conn:
            token = accounts.add(conn, name, role, timedelta(days=days), renew=renew)
        out.print(f"{name}: {token}", soft_wrap=True, highlight=False)
        out.print("Hand it over by a safe way: it is not kept and cannot be shown again.")


@app.command()
def revoke(name: Name) -> None:
    """End an account's token at once."""
    with clear_errors(), database.default().thread_session() as conn:
        accounts.revoke(conn, name)
        out.print(f"{name} can sign in no more")


@app.command()
def roles() -> None:
    """List the roles, and what each may do."""
    with clear_errors():
        table = Table(Column("role", no_wrap=True), "may")
        for name, may in roles_of(catalog.default()).items():
            table.add_row(name, may)
        out.print(table)


def roles_of(city: Catalog) -> dict[str, str]:
    """All roles that declarations name, and what each may do."""
    may: dict[str, list[str]] = {OPERATOR: ["dismiss jobs", "read all layers"]}
    for layer in city:
        if layer.kind == "features":
            may.setdefault(layer.access.write, []).append(f"edit {layer.id}")
        if not layer.access.public:
            may.setdefault(layer.access.read, []).append(f"read {layer.id}")
        rows = layer.access.rows
        listed = city.codes.get(layer.fields[rows.field].codes or "") if rows else None
        for name, code in listed.codes.items() if listed else ():
            may.setdefault(layer.access.owner(name), []).append(f"{layer.id} of {code.title.zh}")
    return {role: ", ".join(each) for role, each in sorted(may.items())}
