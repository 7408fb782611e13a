"""Protections, each of which can be switched."""
