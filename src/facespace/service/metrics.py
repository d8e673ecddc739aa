"""What a service counts and times, as Prometheus reads it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counts of one process, or with the others' where there are several."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "facespace_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self.seconds = Histogram(
            "facespace_request_seconds", "From the last byte of a request to the first of its answer.", ["route"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.stages = Histogram(
            "facespace_stage_seconds", "Time in one stage: wait, decode, detect, embed, search, write.", ["stage"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.batches = Histogram(
            "facespace_batch_size", "Requests that one call did together.", ["stage"],
            buckets=SIZES, registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "facespace_refused", "Requests refused: queue, rate, key.", ["reason"], registry=registry
        )
        self.pictures = Gauge(
            "facespace_pictures_in_hand", "Pictures that wait or are being worked on.", registry=registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.faces = self._of_gallery("faces", "Enrolled faces.")
        self.subjects = self._of_gallery("subjects", "Enrolled people.")
        self.recall = self._of_gallery(
            "recall", "Measured recall of the gallery's index; 1 where search is exact."
        )

    def _of_gallery(self, what: str, help_text: str) -> Gauge:
        return Gauge(
            f"facespace_gallery_{what}", help_text, ["gallery"], registry=self._registry,
            multiprocess_mode="mostrecent",
        )  # fmt: skip

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(name).observe(time.perf_counter() - begun)

    def text(self) -> bytes:
        """All counts in Prometheus' text form."""
        if values.ValueClass is values.MutexValue:  # one process
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
