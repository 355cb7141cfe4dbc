"""All services in one process, for tiny hosts. Imported by nobody."""
