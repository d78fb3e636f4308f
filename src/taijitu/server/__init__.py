"""The service: HTTP in front of the engine, its configuration, its identity on disk."""
