"""Answers as documents to print: one structure, written as a page, as PDF and for Word.

SPDX-License-Identifier: Apache-2.0
"""
