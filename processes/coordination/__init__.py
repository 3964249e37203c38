"""Pre-coordination: a project's site goes to the departments concerned, and each says what it thinks of it.

SPDX-License-Identifier: Apache-2.0
"""
