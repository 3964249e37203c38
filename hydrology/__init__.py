"""Hydrology as such: numbers in, numbers out. No database, no server.

SPDX-License-Identifier: Apache-2.0
"""
