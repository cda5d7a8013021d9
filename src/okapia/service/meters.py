"""What is counted."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Meters:
    """What is counted, in one registry that `/metrics` renders."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.images = Counter(
            "okapia_images",
            "Pictures analysed, by outcome (ok, or the failure's code)",
            ["outcome"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "okapia_image_seconds",
            "Seconds from bytes to answer of one picture, without queueing",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "okapia_images_waiting", "Pictures in the interactive queue", registry=self.registry
        )
