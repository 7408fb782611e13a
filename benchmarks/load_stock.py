"""Stock Locust, as its own documentation has it: a FastHttpUser that draws again and again.

Its arrivals are a closed loop: each user waits for an answer before it asks again, at most
DRAWS_PER_USER_S times a second. The request is the one that our borrowers make.
"""

import itertools
import os

from locust import FastHttpUser, constant_throughput, task

DRAWS_PER_USER_S = float(os.environ.get("DRAWS_PER_USER_S", "10"))
NUMBERS = itertools.count()


class Borrower(FastHttpUser):
    """Draws, and waits for the answer."""

    wait_time = constant_throughput(DRAWS_PER_USER_S)

    @task
    def draw(self) -> None:
        number = next(NUMBERS)
        headers = {
            "X-Drill": "1", "X-Drill-Token": "token", "X-Attempt": "1", "X-Deadline-Ms": "30000",
            "Idempotency-Key": f"{number:032x}",
        }  # fmt: skip
        body = {"borrower": 1 + number % 40000, "amount_fen": 12300, "purpose": "consumption"}
        self.client.post("/v1/draws", json=body, headers=headers)
