"""The gRPC face: protobuf to model and back. No decisions here; use cases make them."""
