"""Dropout."""

import torch

from manualgrad.nn.layers._derived import derived

Dropout = derived(torch.nn.Dropout, stays_whole=True)
Dropout1d = derived(torch.nn.Dropout1d, stays_whole=True)
Dropout2d = derived(torch.nn.Dropout2d, stays_whole=True)
Dropout3d = derived(torch.nn.Dropout3d, stays_whole=True)
