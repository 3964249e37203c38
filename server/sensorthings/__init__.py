"""OGC SensorThings API 1.1, to read, over the observations of stations.

SPDX-License-Identifier: Apache-2.0
"""
