"""What a job needs while it runs: log, locks, saved states, interruptions, devices, provenance, digests of source."""
