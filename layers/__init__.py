"""What the city has: one declaration per layer, and the typed model that reads them.

SPDX-License-Identifier: Apache-2.0
"""
