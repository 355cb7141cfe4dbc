"""Notifications: a durable outbox for what Gatepost tells people, its delivery, and devices that take push messages."""
