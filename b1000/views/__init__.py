"""Projections of the journal to eyes."""
