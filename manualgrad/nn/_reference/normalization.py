"""Layers that normalize: y = weight · (x − mean) / √(variance + eps) + bias."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry, places

__all__ = ["CLASSES", "FUNCTIONS"]

_BATCH, _INSTANCE, _GROUP = (f"normalization.{page}_norm" for page in ("batch", "instance", "group"))
_LAYER, _RMS = "normalization.layer_norm", "normalization.rms_norm"
_ALIKE = "input and result alike, [n, channels, ...]; {} [channels]."
_LAST = "input and result alike, [..., *normalized_shape]; {} [*normalized_shape]."
_ONE = "ValueError: when there is but one number to take the mean of"
_OTHER = "RuntimeError: when the input's last dimensions are not normalized_shape"
_GROUPS = "when the channels cannot be divided into the groups"
_EXAMPLE = """>>> x = torch.tensor([[0.0, 2.0, 4.0, 6.0]])
>>> {}
{}"""
_NORMALIZED = "tensor([[-1.3416, -0.4472,  0.4472,  1.3416]])"

FUNCTIONS = {
    "batch_norm": Entry(
        "(x − mean) / √(variance + eps) · weight + bias, with the mean and variance of each channel in the batch.",
        _BATCH,
        _ALIKE.format("running_mean, running_var, weight and bias"),
        (
            f"{_ONE}: `nn.functional.batch_norm(torch.rand(1, 2), None, None, training=True)`.",
            "RuntimeError: when weight does not fit the channels: "
            "`nn.functional.batch_norm(torch.rand(4, 2), None, None, torch.rand(3), training=True)`.",
            "RuntimeError: when out of training there is no running mean: "
            "`nn.functional.batch_norm(torch.rand(4, 2), None, None)`.",
        ),
        """>>> x = torch.tensor([[0.0], [2.0], [4.0], [6.0]])
>>> nn.functional.batch_norm(x, None, None, training=True).T
"""
        + _NORMALIZED,
    ),
    "group_norm": Entry(
        "(x − mean) / √(variance + eps) · weight + bias, with the mean and variance of each group of channels of an example.",
        _GROUP,
        _ALIKE.format("weight and bias"),
        (
            f"RuntimeError: {_GROUPS}: `nn.functional.group_norm(torch.rand(2, 4), 3)`.",
            "RuntimeError: when weight does not fit the channels: "
            "`nn.functional.group_norm(torch.rand(2, 4), 2, torch.rand(3))`.",
        ),
        _EXAMPLE.format("nn.functional.group_norm(x, 2)", "tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])"),
    ),
    "instance_norm": Entry(
        "(x − mean) / √(variance + eps) · weight + bias, with the mean and variance of each channel of an example.",
        _INSTANCE,
        _ALIKE.format("running_mean, running_var, weight and bias"),
        (
            f"{_ONE}: `nn.functional.instance_norm(torch.rand(2, 3, 1))`.",
            "RuntimeError: when weight does not fit the channels: "
            "`nn.functional.instance_norm(torch.rand(2, 3, 4), weight=torch.rand(2))`.",
        ),
        _EXAMPLE.format("nn.functional.instance_norm(x[None])[0]", _NORMALIZED),
    ),
    "layer_norm": Entry(
        "(x − mean) / √(variance + eps) · weight + bias, with the mean and variance of an example's last dimensions.",
        _LAYER,
        _LAST.format("weight and bias"),
        (
            f"{_OTHER}: `nn.functional.layer_norm(torch.rand(2, 3), (4,))`.",
            "RuntimeError: when weight is not of normalized_shape: "
            "`nn.functional.layer_norm(torch.rand(2, 3), (3,), torch.rand(2))`.",
            "TypeError: when the input is no tensor: `nn.functional.layer_norm([1.0], (1,))`.",
        ),
        _EXAMPLE.format("nn.functional.layer_norm(x, (4,))", _NORMALIZED),
    ),
    "local_response_norm": Entry(
        "x / (k + alpha · mean of x² over `size` channels)^beta.",
        "pooling.avg_pool",
        "input and result alike, [n, channels, ...] of three dimensions or more.",
        (
            "ValueError: when the input has fewer than three dimensions: "
            "`nn.functional.local_response_norm(torch.rand(3, 2), 2)`.",
        ),
        _EXAMPLE.format(
            "nn.functional.local_response_norm(x[..., None], 1, alpha=1.0)[..., 0]",
            "tensor([[0.0000, 0.5981, 0.4778, 0.3999]])",
        ),
    ),
    "rms_norm": Entry(
        "x / √(mean of x² + eps) · weight, with the mean over an example's last dimensions.",
        _RMS,
        _LAST.format("weight"),
        (f"{_OTHER}: `nn.functional.rms_norm(torch.rand(2, 3), (4,))`.",),
        _EXAMPLE.format("nn.functional.rms_norm(x, (4,))", "tensor([[0.0000, 0.5345, 1.0690, 1.6036]])"),
    ),
}
CLASSES = {
    "GroupNorm": Entry(
        "",
        _GROUP,
        _ALIKE.format("`weight` and `bias`"),
        (
            f"ValueError: {_GROUPS}: `nn.GroupNorm(3, 4)`.",
            "RuntimeError: when the input has not num_channels channels: `nn.GroupNorm(2, 4)(torch.rand(2, 6))`.",
        ),
        _EXAMPLE.format(
            "nn.GroupNorm(2, 4)(x)",
            "tensor([[-1.0000,  1.0000, -1.0000,  1.0000]],\n       grad_fn=<GroupNormFunctionBackward>)",
        ),
    ),
    "LayerNorm": Entry(
        "",
        _LAYER,
        _LAST.format("`weight` and `bias`"),
        (
            f"{_OTHER}: `nn.LayerNorm(4)(torch.rand(2, 3))`.",
            "TypeError: when the input is no tensor: `nn.LayerNorm(1)([1.0])`.",
        ),
        _EXAMPLE.format("nn.LayerNorm(4)(x)", f"{_NORMALIZED[:-1]},\n       grad_fn=<LayerNormFunctionBackward>)"),
    ),
    "RMSNorm": Entry(
        "",
        _RMS,
        _LAST.format("`weight`"),
        (f"{_OTHER}: `nn.RMSNorm(4)(torch.rand(2, 3))`.",),
        _EXAMPLE.format("nn.RMSNorm(4)(x)", "tensor([[0.0000, 0.5345, 1.0690, 1.6036]], grad_fn=<RMSNormFunctionBackward>)"),
    ),
}
_STATISTICS = "`weight`, `bias`, `running_mean` and `running_var` [num_features]."
for _n, _batch, _instance in (
    (1, "[n, num_features] or [n, num_features, l]", "[n, num_features, l], the n may be left out"),
    (2, "[n, num_features, h, w]", "[n, num_features, h, w], the n may be left out"),
    (3, "[n, num_features, d, h, w]", "[n, num_features, d, h, w], the n may be left out"),
):
    _8 = places(_n, 8)
    _one = "1, 3" + ", 1" * (_n if _n > 1 else 0)
    CLASSES[f"BatchNorm{_n}d"] = Entry(
        "",
        _BATCH,
        f"input and result alike, {_batch};\n{_STATISTICS}",
        (
            f"ValueError: when the input has another number of dimensions: `nn.BatchNorm{_n}d(3)(torch.rand(3))`.",
            f"RuntimeError: when it has not num_features channels: `nn.BatchNorm{_n}d(3)(torch.rand(2, 4, {_8}))`.",
            f"{_ONE}, in training: `nn.BatchNorm{_n}d(3)(torch.rand({_one}))`.",
        ),
        f">>> y = nn.BatchNorm{_n}d(3)(torch.rand(5, 3, {_8}))\n"
        ">>> y.transpose(0, 1).flatten(1).mean(1).abs() < 1e-5  # of each channel\n"
        "tensor([True, True, True])",
    )
    CLASSES[f"InstanceNorm{_n}d"] = Entry(
        "",
        _INSTANCE,
        f"input and result alike, {_instance};\n{_STATISTICS}",
        (
            f"ValueError: when the input has another number of dimensions: `nn.InstanceNorm{_n}d(3)(torch.rand(3))`.",
            f"{_ONE}, in training: `nn.InstanceNorm{_n}d(3)(torch.rand(2, 3, {places(_n, 1)}))`.",
        ),
        f">>> y = nn.InstanceNorm{_n}d(3)(torch.rand(5, 3, {_8}))\n"
        ">>> bool((y.flatten(2).mean(2).abs() < 1e-5).all())  # of each channel of each example\n"
        "True",
    )
