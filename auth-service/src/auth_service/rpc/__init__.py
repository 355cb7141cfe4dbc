"""Translation between protobuf and the model; no logic lives here."""
