"""A Django database engine for MongoDB. It uses djongo's connection wrapper and `__schema__` collection,
and compiles queries itself instead of calling djongo's SQL translator. It imports no project that uses it.
SPDX-License-Identifier: AGPL-3.0-only
"""
