"""The formats in which features are given out.

SPDX-License-Identifier: Apache-2.0
"""
