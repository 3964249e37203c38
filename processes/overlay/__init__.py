"""Laying surfaces over surfaces: every piece that two of them share, with its ellipsoidal measures.

SPDX-License-Identifier: Apache-2.0
"""
