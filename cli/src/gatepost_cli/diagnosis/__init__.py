"""What `gatepost doctor` looks at. Each module answers with findings and never raises for what it finds wrong."""
