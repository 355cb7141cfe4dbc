"""All SQL of the service. Functions take a connection, so that use cases show where a transaction begins and ends."""
