"""What the service measures beyond its RPCs. Labels are closed lists; no addresses, no projects."""

from prometheus_client import Counter, Gauge, Histogram

DELIVERIES = Counter(
    "gatepost_notify_deliveries_total",
    "Outcomes of delivery attempts: sent, skipped (nobody there), deferred (tried again), and refused, exhausted, "
    "expired (all three dead).",
    ["channel", "outcome"],
)
DELIVERY_SECONDS = Histogram(
    "gatepost_notify_delivery_seconds",
    "Time to hand one message over to the transport, failures included.",
    ["channel"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TAKEN_TO_SENT_SECONDS = Histogram(
    "gatepost_notify_taken_to_sent_seconds",
    "Time from taking a message to handing it over.",
    ["channel"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
)
QUEUE = Gauge("gatepost_notify_queue_messages", "Messages that wait (pending) or were given up (dead).", ["status"])
OLDEST_DUE_SECONDS = Gauge("gatepost_notify_queue_oldest_due_seconds", "How long the longest due message has waited.")
