"""Forecasts at stations: rain to stage by declared chains, as an answer and as runs that are published.

SPDX-License-Identifier: Apache-2.0
"""
