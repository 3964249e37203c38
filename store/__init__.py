"""Where the city's data lives: the database, its migrations and releases, and the raster places.

SPDX-License-Identifier: Apache-2.0
"""
