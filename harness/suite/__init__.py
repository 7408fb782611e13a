"""Drills by the set: which there are, their two arms, and what becomes of a set of them."""
