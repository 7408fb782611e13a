"""The lender's processes: supervisor, database, who listens where."""
