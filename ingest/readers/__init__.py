"""One source format a file: bytes to batches of columns and geometries. No database here.

SPDX-License-Identifier: Apache-2.0
"""
