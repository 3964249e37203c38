"""Values that arrive by themselves: telegrams and messages, from the wire to the store.

SPDX-License-Identifier: Apache-2.0
"""
