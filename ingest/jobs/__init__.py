"""Loads that run by themselves: deferred, scheduled, or because a file has come.

SPDX-License-Identifier: Apache-2.0
"""
