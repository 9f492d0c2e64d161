"""Ways to run the explorer's jobs in a test."""

from __future__ import annotations

import threading


class Threads:
    """Runs jobs on threads that a test can wait for, also those that were stopped."""

    def __init__(self):
        self.all = []

    def __call__(self, job):
        self.all.append(threading.Thread(target=job, daemon=True))
        self.all[-1].start()

    def join(self):
        for thread in self.all:
            thread.join(20)
            assert not thread.is_alive()


def now(job):
    job()
