"""The texts of a picture, and whether a reader can read them all."""

import itertools

from matplotlib.axes import Axes
from matplotlib.text import Text


def texts(figure):
    return [text.get_text() for text in _drawn(figure)]


def unreadable(figure):
    """What overlaps another text, lies outside the picture in part, or is smaller than 9 points."""
    figure.draw_without_rendering()
    boxes = [(text, text.get_window_extent()) for text in _drawn(figure)]
    page = figure.bbox
    bad = [
        text.get_text()
        for text, box in boxes
        if text.get_fontsize() < 9 or box.x0 < page.x0 or box.x1 > page.x1 or box.y0 < page.y0 or box.y1 > page.y1
    ]
    # A pixel more or less is no overlap.
    return bad + [
        (a.get_text(), b.get_text())
        for (a, p), (b, q) in itertools.combinations(boxes, 2)
        if min(p.x1, q.x1) - max(p.x0, q.x0) > 1 and min(p.y1, q.y1) - max(p.y0, q.y0) > 1
    ]


def _drawn(figure):
    hidden = {label for axes in figure.findobj(Axes) for label in _hidden(axes)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in hidden]


def _hidden(axes):
    """The labels of ticks beyond an axis's ends, and of an axes without axis lines all."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-6 * (high - low)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not (axes.axison and low - slack <= tick.get_loc() <= high + slack):
                yield from (tick.label1, tick.label2)
