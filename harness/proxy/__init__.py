"""A TCP proxy that can be slowed, with Toxiproxy's API."""
