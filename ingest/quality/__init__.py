"""The quality gate: declared rules, checked row by row as rows stream in and over the whole once they are staged.

SPDX-License-Identifier: Apache-2.0
"""
