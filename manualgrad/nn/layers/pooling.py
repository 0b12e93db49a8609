"""Max pooling, average pooling and adaptive average pooling."""

import torch

from manualgrad.nn.layers._derived import derived

MaxPool1d = derived(torch.nn.MaxPool1d)
MaxPool2d = derived(torch.nn.MaxPool2d)
MaxPool3d = derived(torch.nn.MaxPool3d)
AvgPool1d = derived(torch.nn.AvgPool1d)
AvgPool2d = derived(torch.nn.AvgPool2d)
AvgPool3d = derived(torch.nn.AvgPool3d)
AdaptiveAvgPool1d = derived(torch.nn.AdaptiveAvgPool1d)
AdaptiveAvgPool2d = derived(torch.nn.AdaptiveAvgPool2d)
AdaptiveAvgPool3d = derived(torch.nn.AdaptiveAvgPool3d)
