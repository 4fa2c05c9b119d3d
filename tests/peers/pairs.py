"""What the measured turns come to. A machine that is shared changes its clock, and its neighbours, from minute to minute, so
contenders are compared within a round alone, where they ran seconds apart: a ratio is the median over the rounds of each
round's own ratio. Rounds at another clock stay, for it is the same above and below the line; they are counted.

A result has, for a network, a number of threads and of images,
    differences  {contender: its output's from the first one's}: rnc's levels, then the peers
    rounds       [{"peak": GFLOP/s of a core beside it, or null; "ms": {contender: [milliseconds an image, of each run]}}]
"""
import statistics

OTHER_CLOCK = 0.05  # a round's peak differs so much from the median of all


def is_rnc(name):
    return name.startswith("rnc ")


def names(result):
    """rnc's levels, then the peers."""
    return list(result["differences"])


def milliseconds(result, name):
    """-> minimum and median of all runs: of different rounds, so for reading and not for comparing"""
    runs = [ms for one in result["rounds"] for ms in one["ms"][name]]
    return min(runs), statistics.median(runs)


def paired(result, over, under):
    """-> the lower quartile, median and upper quartile of the rounds' ratios; of a turn its median run counts."""
    ratios = [statistics.median(one["ms"][over]) / statistics.median(one["ms"][under]) for one in result["rounds"]]
    return tuple(statistics.quantiles(ratios, n=4, method="inclusive")) if len(ratios) > 1 else (ratios[0],) * 3


def best_peer(result, own):
    """The one with the least paired median over rnc at this level; None where there is none."""
    peers = [name for name in names(result) if not is_rnc(name)]
    return min(peers, key=lambda name: paired(result, name, own)[1], default=None)


def peaks(result):
    """-> the least, median and largest peak beside the rounds; None where it is unknown"""
    found = [one["peak"] for one in result["rounds"]]
    return None if None in found else (min(found), statistics.median(found), max(found))


def at_other_clock(result):
    """How many rounds; they count like the others."""
    found = peaks(result)
    return sum(abs(one["peak"] / found[1] - 1) > OTHER_CLOCK for one in result["rounds"]) if found else 0
