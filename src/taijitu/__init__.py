"""taijitu: a content-addressed storage service, and an engine for durable state machines."""

__version__ = "0.1.0"
