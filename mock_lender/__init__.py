"""A lender of real processes to test against: gateways, risk, compliance, a ledger, banks."""
