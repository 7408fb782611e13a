"""Accounts, draws, and the sweeper that ends what a gateway left open."""
