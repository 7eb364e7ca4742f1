"""Files the workflow writes and reads: atomic, checked when read, and free of pickles."""
