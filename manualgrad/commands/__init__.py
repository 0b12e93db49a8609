"""The commands of `manualgrad`, one per file: its options and its output. The results are computed elsewhere."""
