"""Conflicts between plans by the rules of layers/conflicts.yml, kept up to date as plans are released.

SPDX-License-Identifier: Apache-2.0
"""
