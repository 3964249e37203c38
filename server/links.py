"""Links as text: in `Link` headers (RFC 8288) and in link-format (RFC 6690).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence

Link = dict[str, str]

#: What is told of a link besides its address. Titles stay out: a header has no room for letters beyond Latin.
_TOLD = ("rel", "type", "datetime")

#: Characters of Link headers that clients and proxies take without complaint.
_LENGTH = 4000


def link_text(link: Link) -> str:
    """A link as it stands in a header."""
    return f"<{link['href']}>" + "".join(f'; {name}="{link[name]}"' for name in _TOLD if name in link)


def link_header(links: Sequence[Link]) -> str:
    """Links as a Link header, the next page first; those of a very long question only as far as there is room."""
    told, room = [], _LENGTH
    for link in sorted(links, key=lambda link: link["rel"] != "next"):
        one = link_text(link)
        room -= len(one)
        if room < 0:
            break
        told.append(one)
    return ", ".join(told)
