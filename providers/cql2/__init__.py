"""CQL2 filters: text or JSON in, SQL with bound parameters out.

parse.py bounds what is given and has the `cql2` library read it; compile.py goes through the tree, checks every name,
type and function against the layer's declaration and writes SQL. No text of a filter ever becomes SQL: names are
looked up, values are bound.

SPDX-License-Identifier: Apache-2.0
"""
