"""From the run directory alone to a verdict."""
