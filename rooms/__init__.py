"""Rooms, memberships, roles and watermarks. Imports accounts, but not messaging."""
