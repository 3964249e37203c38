"""Reading the store: queries that the server and pygeoapi's plugins share, and the plugins themselves.

SPDX-License-Identifier: Apache-2.0
"""
