"""Programs that are run by the Python of a peer's own venv, and what is installed there."""
