"""The words of reports: English in the code, Chinese in the catalogue that the pages have too.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

from shikong.providers.labels import Language

#: Templates, styles and words of pages and reports.
WEB = Path(__file__).resolve().parents[2] / "web"


@cache
def of(language: Language) -> gettext.NullTranslations:
    """The words in a language; what the catalogue lacks stays English."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation("messages", WEB / "locale", [language])
