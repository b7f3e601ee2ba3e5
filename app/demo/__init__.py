"""The demonstration: all services in one process, the sample, and a few records that live their lives."""
