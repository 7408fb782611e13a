"""The skeleton of each service and the one client of each hop."""
