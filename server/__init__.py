"""The ASGI application: pygeoapi's API and our own building blocks behind one door.

SPDX-License-Identifier: Apache-2.0
"""
