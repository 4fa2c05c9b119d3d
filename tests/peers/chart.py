"""A chart of what was measured, as SVG: a group of bars per network, one for each number of threads and images."""
import html

from pairs import best_peer, milliseconds, names, paired
from tables import count

COLOURS = ("#1f6fb4", "#7db3dc", "#c4661f", "#edb27f", "#3b8a4e", "#9cd0a8")
BAR, GAP, GROUP, LEFT, RIGHT, TOP = 15, 3, 14, 130, 190, 90
PLOT = 520


def bars(results, settings, scale):
    """-> SVG of all groups, and where they end."""
    parts, y = [], TOP
    for network in dict.fromkeys(r["network"] for r in results):
        group = [r for r in results if r["network"] == network and best_peer(r, names(r)[0])]
        if not group:
            continue
        middle = y + (len(group) * (BAR + GAP) - GAP) / 2
        parts.append(f'<text x="{LEFT - 10}" y="{middle:.0f}" class="name">{html.escape(network)}</text>')
        for r in group:
            colour = COLOURS[settings.index((r["threads"], r["batch"])) % len(COLOURS)]
            own, peer = names(r)[0], best_peer(r, names(r)[0])
            ratio = paired(r, peer, own)[1]
            width = ratio * scale
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'
                         f'<text x="{LEFT + width + 6:.1f}" y="{y + BAR / 2}" class="value">{ratio:.2f}'
                         f'<tspan class="note" dx="8">{milliseconds(r, own)[1]:.1f} ms; {html.escape(peer)}</tspan></text>')
            y += BAR + GAP
        y += GROUP
    return parts, y


def legend(settings):
    return [f'<rect x="{LEFT + 150 * i}" y="56" width="12" height="12" fill="{COLOURS[i % len(COLOURS)]}"/>'
            f'<text x="{LEFT + 150 * i + 18}" y="62" class="value">{count(threads, "thread")}, batch {batch}</text>'
            for i, (threads, batch) in enumerate(settings)]


def grid(scale, largest, bottom):
    lines, step = [], 0.5 if largest > 1.2 else 0.25
    for i in range(int(largest / step) + 1):
        x = LEFT + i * step * scale
        kind = "one" if i * step == 1 else "line"
        lines.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" class="{kind}"/>'
                     f'<text x="{x:.1f}" y="{bottom + 12}" class="tick">{i * step:g}</text>')
    return lines


def chart(report):
    """How many times the time of rnc the best peer needs."""
    results, own = report["results"], names(report["results"][0])[0]
    settings = list(dict.fromkeys((r["threads"], r["batch"]) for r in results))
    largest = max([paired(r, peer, own)[1] for r in results if (peer := best_peer(r, own))] + [1])
    scale = PLOT / largest
    groups, bottom = bars(results, settings, scale)
    width, height = LEFT + PLOT + RIGHT, bottom + 30
    title = f"Time of the best peer / time of {own}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{title}</title>",
        "<style>text{font:13px sans-serif;fill:#222;dominant-baseline:central}.title{font-size:16px;font-weight:bold}"
        ".name{text-anchor:end}.value{font-size:12px;paint-order:stroke;stroke:#fff;stroke-width:4px}"
        ".note,.tick{font-size:11px;fill:#666}.tick{text-anchor:middle}"
        ".line{stroke:#ddd}.one{stroke:#444;stroke-dasharray:4 3}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" class="title">{title}</text>',
        f'<text x="{LEFT}" y="38" class="note">fp32; right of the dashed line {own} is ahead. '
        f'Behind a bar: {own}\'s median ms per image; the best peer. {html.escape(report["cpu"])}</text>',
        *legend(settings), *grid(scale, largest, bottom), *groups, "</svg>", ""])
