"""Questions in the words of OGC SensorThings API 1.1, and their SQL over the observation layers.

SPDX-License-Identifier: Apache-2.0
"""
