"""Flows across several apps, and checks of the whole source. Tests of one app are beside it."""
