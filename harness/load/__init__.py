"""Open arrivals, sent by Locust in child processes."""
