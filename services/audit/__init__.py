"""The audit: every journal's exact bytes in one Merkle log, with signed checkpoints and proofs."""
