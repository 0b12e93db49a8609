"""Where things are in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TRAIN = ROOT / "train.py"
PACKAGE = ROOT / "manualgrad"
