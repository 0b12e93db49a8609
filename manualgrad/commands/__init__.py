"""One file a command of `manualgrad`: its options, and what it prints. What it shows is computed elsewhere."""
