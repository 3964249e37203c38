"""The store's errors as pygeoapi knows errors, with the status that a client should see.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from pygeoapi.provider.base import (
    ProviderConnectionError,
    ProviderGenericError,
    ProviderInvalidQueryError,
    ProviderRequestEntityTooLargeError,
)

from shikong.providers.errors import QueryError, TooMuch
from shikong.store.errors import DatabaseAway, NotKept, NotPublished, QueryTooSlow, StoreError


class StoreUnavailable(ProviderConnectionError):  # type: ignore[misc]
    """The database does not answer, or not in time."""

    http_status_code = HTTPStatus.SERVICE_UNAVAILABLE
    ogc_exception_code = "ServiceUnavailable"


class NothingPublished(ProviderGenericError):  # type: ignore[misc]
    """The layer has no data yet."""

    http_status_code = HTTPStatus.NOT_FOUND
    ogc_exception_code = "NotFound"


class NoLongerKept(ProviderGenericError):  # type: ignore[misc]
    """What was published then is gone."""

    http_status_code = HTTPStatus.GONE
    ogc_exception_code = "Gone"


@contextmanager
def as_provider_errors() -> Iterator[None]:
    """Raise our errors as pygeoapi's, so that its handlers answer with the right status and our words."""
    try:
        yield
    except TooMuch as error:
        raise ProviderRequestEntityTooLargeError(user_msg=str(error)) from error
    except QueryError as error:
        raise ProviderInvalidQueryError(user_msg=str(error)) from error
    except NotPublished as error:
        raise NothingPublished(user_msg=str(error)) from error
    except NotKept as error:
        raise NoLongerKept(user_msg=str(error)) from error
    except (DatabaseAway, QueryTooSlow) as error:
        raise StoreUnavailable(user_msg=str(error)) from error
    except StoreError as error:
        raise ProviderConnectionError(user_msg=str(error)) from error
