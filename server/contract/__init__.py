"""The OpenAPI document, written from the tables and bounds that requests are held against.

SPDX-License-Identifier: Apache-2.0
"""
