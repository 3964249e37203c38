"""Hydrology on series of rain, level and discharge.

SPDX-License-Identifier: Apache-2.0
"""
