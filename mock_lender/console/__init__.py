"""The console: a hand on the lender's database and rule book, for who has the run's token."""
