"""A report of the bench as Markdown: what docs/performance.md, README.md and build/peers/table.md show.

A part is what a mark in these files names: one kind of CPU, one set of networks and one number of images. It has a table for
each number of threads. In short (README.md) it is one table, whose ratios have no spread.
"""
import textwrap

from pairs import at_other_clock, best_peer, is_rnc, milliseconds, names, paired

SHORT = ", in short"
COLUMNS = 100  # of text
BEHIND = 1.03  # the first level's time over another's: more is told
TITLES = {
    "resnet18": "ResNet-18", "resnet34": "ResNet-34", "resnet50": "ResNet-50", "resnet101": "ResNet-101",
    "resnet152": "ResNet-152", "vgg16": "VGG-16", "googlenet": "GoogLeNet", "bn_inception": "BN-Inception",
    "prelu_net_a": "PReLU-net A", "resnet20": "CIFAR ResNet-20", "resnet56": "CIFAR ResNet-56", "resnet110": "CIFAR ResNet-110",
}


def count(n, what):
    return f"{n} {what}{'' if n == 1 else 's'}"


def title(network):
    return TITLES.get(network, network)


def where(result):
    return f"{title(result['network'])}, {count(result['threads'], 'thread')}, batch {result['batch']}"


def engines(results):
    """rnc's levels, then the peers, of all results: some may have been left out of one."""
    found = list(dict.fromkeys(name for result in results for name in names(result)))
    return sorted(found, key=lambda name: not is_rnc(name))


# ---- cells ----
def spread(ratios):
    low, median, high = ratios
    return f"{median:.2f} ({low:.2f}–{high:.2f})"


def time_cell(result, name):
    if name not in names(result):
        return "–"
    least, median = milliseconds(result, name)
    return f"**{least:.2f}** / {median:.2f}" if is_rnc(name) else f"{least:.2f} / {median:.2f}"


def ratio(result, over, under, show=spread):
    return show(paired(result, over, under)) if over in names(result) and under in names(result) else "–"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def head(columns):
    return [line(["", *columns]).replace("|  |", "| |", 1), "|---|" + "---:|" * len(columns)]


# ---- tables ----
def table(results):
    """Of one number of threads and images."""
    all_names = engines(results)
    own = [name for name in all_names if is_rnc(name)]
    first = own[0]
    lines = head([f"{count(results[0]['threads'], 'thread')}: {first}", *all_names[1:], "best peer",
                  *(f"best peer / {name}" for name in own), *(f"{first} / {name}" for name in own[1:])])
    for result in results:
        peer = best_peer(result, first)
        lines.append(line([title(result["network"]), *(time_cell(result, name) for name in all_names), peer or "–",
                           *(ratio(result, peer, name) for name in own), *(ratio(result, first, name) for name in own[1:])]))
    return "\n".join(lines)


def wrapped(text):
    return textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)


def origin(report):
    """Machine, date and commit: the same beside every table of a report. publish.py reads date and commit again."""
    return (f"{report['cpu']} ({report['kind']}), {count(report['processors'], 'processor')}; {report['date']}, at "
            f"{report['commit']}.")


def machine(report):
    """The row that plans were made for, as -mtune takes it, and where it is from."""
    row = dict(report["machine"])
    name, target, source = (row.pop(key) for key in ("tune", "target", "origin"))
    source = source.partition(":")[0]  # not where it is kept
    return f"-mtune={name} for {target}, {source}: {', '.join(f'{key}={value}' for key, value in row.items())}"


def peak(report):
    found = [one["peak"] for result in report["results"] for one in result["rounds"]]
    before_after = ", ".join(f"{before} before and {after} after" for before, after in report["peaks"])
    if None in found:
        return "The FMA peak is not known."
    return f"FMA peak of a core, GFLOP/s: {before_after}; beside the rounds {min(found)} to {max(found)}."


def left_out(results):
    return [f"{where(r)}: without {name}: {why}." for r in results for name, why in r["left_out"].items()]


def notes(results):
    """What a reader of these results' tables should know."""
    found = left_out(results)
    clock = [f"{title(r['network'])} on {count(r['threads'], 'thread')} {n} of {len(r['rounds'])}"
             for r in results if (n := at_other_clock(r))]
    if clock:
        found.append(f"Rounds at another clock, which count as the others: {', '.join(clock)}.")
    behind = [f"{title(r['network'])} on {count(r['threads'], 'thread')} {ratio(r, names(r)[0], name)} of {name}"
              for r in results for name in names(r)[1:] if is_rnc(name) and paired(r, names(r)[0], name)[1] > BEHIND]
    if behind:
        found.append(f"{names(results[0])[0]} takes more than {BEHIND} times another level's time: {', '.join(behind)}.")
    return found


def full(report, results):
    """Tables of one number of images, with where they are from."""
    batch = results[0]["batch"]
    networks = "" if report["networks"] == "all networks" else f"{report['networks']}, "
    versions = ", ".join(version if version.startswith(name) else f"{name} {version}"
                         for name, version in report["versions"].items())
    rounds = sorted({len(result["rounds"]) for result in results})
    largest = max(difference for result in results for difference in result["differences"].values())
    told = [origin(report), f"{report['system']}; {versions}.", f"Planned with {machine(report)}.", peak(report),
            f"{' to '.join(map(str, rounds[::len(rounds) - 1 or 1]))} rounds. All outputs agree to {largest:.1e} of the largest, before a softmax.",
            "Milliseconds an image: minimum / median. Ratios: median of the rounds' own (quartiles)."]
    blocks = [f"### {report['kind']}, {networks}batch {batch}", "\n".join(wrapped(text) for text in told)]
    blocks += [table([r for r in results if r["threads"] == t]) for t in dict.fromkeys(r["threads"] for r in results)]
    return "\n\n".join([*blocks, *map(wrapped, notes(results))]) + "\n"


def short(report, results):
    """Median milliseconds on the fewest threads, and how many times as fast as the best peer on each number of them."""
    all_names = engines(results)
    first, threads = all_names[0], sorted({result["threads"] for result in results})
    lines = head([*all_names, *(f"best peer / {first}, {count(t, 'thread')}" for t in threads)])

    def median(result, name):
        text = f"{milliseconds(result, name)[1]:.2f}" if name in names(result) else "–"
        return f"**{text}**" if is_rnc(name) else text
    for network in dict.fromkeys(result["network"] for result in results):
        of = {r["threads"]: r for r in results if r["network"] == network}
        if threads[0] in of:
            lines.append(line([title(network), *(median(of[threads[0]], name) for name in all_names),
                               *(ratio(of[t], best_peer(of[t], first), first, lambda r: f"{r[1]:.2f}") if t in of else "–"
                                 for t in threads)]))
    return "\n".join([*lines, "", *map(wrapped, [origin(report), *left_out(results)])]) + "\n"


def parts(report):
    """-> text by the part's name"""
    found = {}
    for batch in dict.fromkeys(result["batch"] for result in report["results"]):
        results = [result for result in report["results"] if result["batch"] == batch]
        name = f"{report['kind']}, {report['networks']}, batch {batch}"
        found[name] = full(report, results)
        found[name + SHORT] = short(report, results)
    return found


def summary(result):
    """One line for the log."""
    all_names = names(result)
    first, text = all_names[0], [where(result)]
    peer = best_peer(result, first)
    text[0] += f": {first} {milliseconds(result, first)[1]:.2f} ms"
    if peer:
        text.append(f"{peer} / {first} {ratio(result, peer, first)}")
    text += [f"{first} / {name} {ratio(result, first, name)}" for name in all_names[1:] if is_rnc(name)]
    text.append(count(len(result["rounds"]), "round"))
    others = at_other_clock(result)
    return "; ".join(text) + (f", {others} of them at another clock" if others else "")
