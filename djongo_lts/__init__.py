"""MongoDB for Django through djongo: its wrapper and bookkeeping kept, its SQL translator never run.
Knows Django and pymongo; must not know any project that uses it. SPDX-License-Identifier: AGPL-3.0-only
"""
