"""Sites of projects: what a site meets, what that means for a project, and what applies to it.

SPDX-License-Identifier: Apache-2.0
"""
