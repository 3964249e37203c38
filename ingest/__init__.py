"""Bringing data in: read, check, stage, publish, report.

SPDX-License-Identifier: Apache-2.0
"""
