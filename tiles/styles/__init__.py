"""The declared styles, written for clients: MapLibre, SLD, QGIS, and legends.

SPDX-License-Identifier: Apache-2.0
"""
