"""The gRPC contract of Gatepost: generated stubs, checked in. Make them again with `make proto`."""
