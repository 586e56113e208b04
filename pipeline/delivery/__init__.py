"""Between a pipeline and one backend: queue, batches, retries, timeout. One implementation for all exporters."""

from pipeline.delivery.settings import Batching, DeliveryConfig, Partition, RetryOnFailure, SendingQueue, Sizer
from pipeline.delivery.stage import DeliveryStage

__all__ = ["Batching", "DeliveryConfig", "DeliveryStage", "Partition", "RetryOnFailure", "SendingQueue", "Sizer"]
