"""The highest rate at which a lender's steady state holds. Pure: search, and what was found."""
