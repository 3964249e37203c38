"""Who may do what with a layer: the one place that asks. store/access.py says which rows.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.layers.model import Layer
from shikong.server.context import Context
from shikong.server.edit_errors import NotEditable
from shikong.store import access
from shikong.store.principal import ANONYMOUS, Forbidden, NotSignedIn, current_principal


def viewer(layer: Layer) -> str:
    """What tells apart those who see different things of a layer, as a word that can be a file's name."""
    if layer.access.public:
        return "public"
    return "-".join(["roles", *sorted(current_principal.get().roles)])


def require_readable(layer: Layer) -> None:
    """Raise NotSignedIn or Forbidden where the request's principal may read nothing of a layer."""
    _require(layer, access.reads(layer, current_principal.get()) != "nothing", "read")


def may_edit(context: Context) -> bool:
    """Whether anybody may edit anything."""
    return context.editing != "off"


def editable(context: Context, layer: Layer) -> bool:
    """Whether the request's principal may edit features of the layer; which ones is another question."""
    return layer.kind == "features" and may_edit(context) and _may_write(context, layer)


def _may_write(context: Context, layer: Layer) -> bool:
    principal = current_principal.get()
    if layer.access.write in principal.roles:
        return True
    if layer.access.public:
        return context.editing in ("open", "unlocked")
    return access.reads(layer, principal) == "own"


def require_editable(context: Context, layer: Layer) -> None:
    """Raise an error, saying why, unless the request's principal may edit features of the layer."""
    if layer.kind != "features":
        raise NotEditable(f"{layer.id} is of kind {layer.kind}; features can be edited")
    if not may_edit(context):
        raise NotEditable(
            "editing is off on this service; its operator turns it on with SHIKONG_EDITING=roles, for those who are "
            "signed in, or SHIKONG_EDITING=open, for everyone"
        )
    _require(layer, _may_write(context, layer), "edit")


def _require(layer: Layer, allowed: bool, what: str) -> None:
    if allowed:
        return
    if current_principal.get() == ANONYMOUS:
        raise NotSignedIn(f"only some may {what} {layer.id}: sign in with your token (Basic, Bearer, or on /account)")
    raise Forbidden(f"your account may not {what} {layer.id}; ask {layer.steward} for the role")
