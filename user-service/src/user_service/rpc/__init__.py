"""gatepost.users.v1: protobuf <-> model, and nothing else. The server's interceptor renders errors."""
