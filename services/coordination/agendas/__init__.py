"""What departments owe of other services' records: read off the records, kept for the inbox."""
