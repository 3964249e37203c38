"""OGC API - Environmental Data Retrieval over the observations of stations.

SPDX-License-Identifier: Apache-2.0
"""
