"""Services of a running job: log, locks, saved states, interruptions, devices, provenance, digests of source."""
