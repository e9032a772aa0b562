"""Rooms, memberships, roles and watermarks. Imports accounts, and knows no messages."""
