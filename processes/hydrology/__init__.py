"""The questions of water: basins on the elevation model, and what series tell.

SPDX-License-Identifier: Apache-2.0
"""
