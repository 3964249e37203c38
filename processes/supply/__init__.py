"""The supply of land: balances by district and class, plan against present, farmland and quotas.

SPDX-License-Identifier: Apache-2.0
"""
