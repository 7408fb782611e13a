"""The run directory and its schema."""
