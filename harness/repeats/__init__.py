"""Drills run again and again, by arm and by seed, each in a process of its own, and kept."""
