"""A transport whose times a test chooses: no server, no clock."""

from __future__ import annotations

import json
import threading

from rfhosted import Client
from rfhosted.latency import Measurement
from rfhosted.prediction import Timing
from rfhosted.transport.request import Reply
from rfhosted.transport.stopwatch import Split


class Timed:
    """Responds at once, with the times that each request was given.

    Args:
        respond: Called with the number of the request, from 0; gives the fields of a response (see
            ``reply``), or an exception, which is raised.
    """

    def __init__(self, respond=lambda number: {}):
        self._respond, self._lock = respond, threading.Lock()
        self.requests = []

    def send(self, request, key, *, timeout, retries, stop=None):
        assert retries == 0  # a benchmark retries nothing
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        fields = self._respond(number)
        if isinstance(fields, BaseException):
            raise fields
        return reply(**fields)

    def client(self, **options):
        return Client(base_url="http://127.0.0.1:9", transport=self, **options)


def reply(e2e=0.2, split=(0.0, 0.01, 0.15, 0.02), load=None, **body):
    """A response of object detection; ``split`` is connect, upload, wait, download."""
    found = {"predictions": [], "image": {"width": 1, "height": 1}, "time": 0.1} | body
    headers = {} if load is None else {"x-model-load-time": str(load)}
    return Reply(200, headers, json.dumps(found).encode(), e2e, Split(*split))


def measurement(cell, e2e, *, began=0.0, busy=None, late=0.0, **timing):
    """A success of a benchmark; ``timing`` are fields of its ``Timing``."""
    timing = {"prepare": 0.001, "exec": e2e / 2, "parse": 0.001} | timing
    busy = e2e if busy is None else busy
    return Measurement(cell, began, busy, timing=Timing(e2e=e2e, **timing), late=late)
