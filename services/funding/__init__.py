"""Public money for research: programmes, calls, and applications up to the last payment."""
