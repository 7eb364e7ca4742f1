"""Coverage of posteriors of clean points."""
