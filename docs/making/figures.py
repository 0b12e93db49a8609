"""The pictures of the catalogue."""

from pathlib import Path

__all__ = ["draw"]


def draw(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("convolution", "batch_norm", "attention"):
        (folder / f"{name}.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>')
