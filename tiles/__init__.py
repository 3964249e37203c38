"""Vector tiles: matrix sets, cutting in the database, and pygeoapi's plugin.

SPDX-License-Identifier: Apache-2.0
"""
