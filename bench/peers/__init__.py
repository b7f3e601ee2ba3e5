"""What a user would pick instead, small and honest: Go services, an ordinary Python one, and the callers."""
