"""Forecast, warning, rehearsal and plan (四预): warnings that follow from observations by declared rules.

SPDX-License-Identifier: Apache-2.0
"""
