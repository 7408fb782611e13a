"""drawproof's harness: loads a lender, breaks it on purpose, and judges what was kept."""
