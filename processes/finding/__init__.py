"""Finding sites: land that nothing forbids, cut into sites, measured, ranked.

SPDX-License-Identifier: Apache-2.0
"""
