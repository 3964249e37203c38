"""Hydrology on elevation models.

SPDX-License-Identifier: Apache-2.0
"""
