"""Figures as tables and charts: as JSON, CSV, Excel, SVG and a page to print.

SPDX-License-Identifier: Apache-2.0
"""
