"""Who may do what with a layer: the one place that asks.

There is no sign-in yet, so that nobody has a role: what an operator opens is open to everyone.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.layers.model import Layer
from shikong.server.context import Context
from shikong.server.edit_errors import NotEditable
from shikong.store.principal import current_principal


def viewer(layer: Layer) -> str:
    """What tells apart those who see different things of a layer, as a word that can be a file's name."""
    if layer.access.read == "public":
        return "public"
    return "-".join(["roles", *sorted(current_principal.get().roles)])


def may_edit(context: Context) -> bool:
    """Whether the request's principal may edit anything."""
    return context.editing != "off"


def editable(context: Context, layer: Layer) -> bool:
    """Whether the request's principal may edit the layer's features."""
    return layer.kind == "features" and may_edit(context)


def require_editable(context: Context, layer: Layer) -> None:
    """Raise NotEditable, saying why, unless the request's principal may edit the layer's features."""
    if layer.kind != "features":
        raise NotEditable(f"{layer.id} is of kind {layer.kind}; features can be edited")
    if not editable(context, layer):
        raise NotEditable("editing is off on this service; its operator turns it on with SHIKONG_EDITING=open")
