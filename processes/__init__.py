"""The questions that a city asks, as OGC API Processes.

SPDX-License-Identifier: Apache-2.0
"""
