"""Getting a file from an address, and telling addresses without what is secret in them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import httpx

from shikong.ingest.errors import SourceAway, UnreadableSource

#: Seconds without a byte after which a server is taken to be away.
_PATIENCE = 60.0

_ADDRESS = re.compile(r"(\w+://)(?:[^\s/]*@)?([^\s?#'\"]*)[^\s'\"]*")


def without_secrets(text: str) -> str:
    """The text with every address in it cut to host and path: user names, passwords, keys and tokens go."""
    return _ADDRESS.sub(r"\1\2", text)


@contextmanager
def fetched(url: str, folder: Path) -> Iterator[Path]:
    """The file at an address, kept below `folder` while it is needed.

    Raises SourceAway when the server does not answer or says that it cannot now, UnreadableSource when it refuses.
    """
    shown = without_secrets(url)
    try:
        name = PurePosixPath(httpx.URL(url).path).name
    except httpx.InvalidURL as error:
        raise UnreadableSource(f"{shown} is no address that can be read; correct `source.url` of the layer") from error
    if not PurePosixPath(name).suffix:
        raise UnreadableSource(f"{shown} does not end in the name of a file, such as parcels.zip")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / name
        try:
            _download(url, path, shown)
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
            raise UnreadableSource(f"{shown} is no address of a file over http or https") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise SourceAway(f"{shown} does not answer ({type(error).__name__}); try again later") from error
        yield path


def _download(url: str, path: Path, shown: str) -> None:
    with httpx.stream("GET", url, follow_redirects=True, timeout=_PATIENCE) as answer, path.open("wb") as file:
        status = answer.status_code
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise SourceAway(f"{shown} answers with status {status}; try again later")
        if status != HTTPStatus.OK:
            raise UnreadableSource(f"{shown} answers with status {status}; correct `source.url` of the layer")
        for piece in answer.iter_bytes():
            file.write(piece)
