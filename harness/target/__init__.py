"""The lender under test."""
