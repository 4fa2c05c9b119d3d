"""Writes the generated parts of docs/results.md, and its figures, from the logs in docs/results.

    report.py --rnc build/rnc --results docs/results
"""
import argparse, collections, csv, os, re, shutil, subprocess, sys, tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NETWORKS = {"plain20": "plain-20", "resnet20": "ResNet-20", "plain56": "plain-56", "resnet56": "ResNet-56",
            "plain110": "plain-110", "resnet110": "ResNet-110", "resnet1202": "ResNet-1202"}
PAPER_STEPS, TRAINING_PICTURES, BATCH = 64000, 60000, 128
# Each pair, and whether the paper has the first one's final training error above the second one's.
ORDERS = [("plain56", "plain20", True), ("resnet56", "resnet20", False), ("resnet56", "plain56", False),
          ("plain110", "plain56", True), ("resnet110", "resnet56", False)]

FIRST = "plain56", "resnet56"  # whose orders are stated before they are trained too

Run = collections.namedtuple("Run", "seed path loss train_error test_error commit date cpu")


def read_run(path, row):
    """The last twentieth of a log: means of loss and training error, and the last test."""
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    last = int(lines[-1]["step"])
    if last != int(row["steps"]):
        sys.exit(f"error: {path}: ends at step {last}, not {row['steps']}")
    end, previous, weights = [], 0, []
    for line in lines:  # a line is the mean over the steps since the one before
        step = int(line["step"])
        if step > last - last // 20:
            end.append(line)
            weights.append(step - previous)
        previous = step
    mean = lambda name: sum(w * float(line[name]) for w, line in zip(weights, end)) / sum(weights)
    test = [line["test error"] for line in lines if line["test error"]][-1]
    return Run(int(row["seed"]), path, mean("loss"), mean("train error"), float(test), row["commit"], row["date"], row["cpu"])


def read_runs(folder):
    """-> {(label, steps): {network: [Run]}}, in the order of NETWORKS and of seeds"""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(os.path.join(folder, "runs.csv"), newline="") as file:
        for row in csv.DictReader(file):
            label = row["label"] and "-" + row["label"]
            path = os.path.join(folder, f"{row['network']}-{row['steps']}{label}-seed{row['seed']}.csv")
            found[row["label"], int(row["steps"])][row["network"]].append(read_run(path, row))
    return {key: {name: sorted(runs[name]) for name in NETWORKS if name in runs} for key, runs in found.items()}


def spread(values, form):
    text = form(sum(values) / len(values))
    return text if len(values) == 1 else f"{text} ({form(min(values))}–{form(max(values))})"


def percent(value):
    return f"{100 * value:.2f} %"


def mean(runs, name):
    return sum(getattr(run, name) for run in runs) / len(runs)


def table(groups):
    """groups: [(title, [Run])]"""
    lines = ["| network | seeds | training loss | training error | test error |", "|---|---:|---:|---:|---:|"]
    for title, runs in groups:
        lines.append(f"| {title} | {', '.join(str(run.seed) for run in runs)} | {spread([run.loss for run in runs], '{:.4f}'.format)} "
                     f"| {spread([run.train_error for run in runs], percent)} | {spread([run.test_error for run in runs], percent)} |")
    return lines


def order(runs, first, second, above):
    """One sentence about the training errors of two networks, and whether the paper's order is seen in every seed."""
    a, b = runs.get(first), runs.get(second)
    title = f"{NETWORKS[first]}'s training error is {'above' if above else 'not above'} {NETWORKS[second]}'s"
    if not a or not b:
        missing = [NETWORKS[name] for name in (first, second) if not runs.get(name)]
        return f"- {title}: not known, {' and '.join(missing)} not trained so far."
    pairs = [(x, y) for x in a for y in b if x.seed == y.seed]
    held = sum((x.train_error > y.train_error) == above for x, y in pairs)
    word = "**seen**" if held == len(pairs) else "**not seen**" if held == 0 else "**not in all seeds**"
    return (f"- {title}: {word}, {percent(mean(a, 'train_error'))} and {percent(mean(b, 'train_error'))}; "
            f"so in {held} of {len(pairs)} {'seed' if len(pairs) == 1 else 'seeds'}.")


def provenance(groups):
    runs = [run for _, members in groups for run in members]
    listed = lambda name: ", ".join(sorted({getattr(run, name) for run in runs}))
    return f"Trained on {listed('date')}, at {listed('commit')}, on: {listed('cpu')}."


def draw(program, groups, path, title):
    """One line of the figure a group, of as many seeds as all of them have."""
    seeds = min(len(runs) for _, runs in groups)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, runs in groups:
            for run in runs[:seeds]:
                files.append(f"{name}{f', seed {run.seed}' if seeds > 1 else ''}.csv")
                shutil.copy(run.path, os.path.join(folder, files[-1]))
        # in the folder, whose path would otherwise be in the figure
        subprocess.run([os.path.abspath(program), "curves", *files, "--seeds", str(seeds), "--title", title, "-o",
                        os.path.abspath(path)], check=True, cwd=folder, stderr=subprocess.DEVNULL)


def section(steps, runs, program, folder):
    scale = f"the paper's divided by {PAPER_STEPS / steps:g}" if steps != PAPER_STEPS else "the paper's"
    epochs = steps / (TRAINING_PICTURES // BATCH)
    groups = [(NETWORKS[name], members) for name, members in runs.items()]
    figure = f"degradation-{steps}.svg"
    draw(program, groups, os.path.join(folder, figure), f"Fashion-MNIST, {steps:,} steps of {BATCH} pictures")
    command = f"make experiment-degradation STEPS={steps} SEEDS=\"{' '.join(map(str, sorted({r.seed for _, m in groups for r in m})))}\""
    orders = [order(runs, *o) for o in ORDERS if o[0] in runs or o[1] in runs and o[0] in FIRST]
    return [f"### {steps:,} steps", "", f"{scale[0].upper()}{scale[1:]}: {epochs:.1f} epochs; lr 0.1, divided by 10 at {steps // 2:,} "
            f"and {3 * steps // 4:,}.", "", f"    {command} NETWORKS=\"{' '.join(runs)}\"", "", f"![training and test errors](results/{figure})", "",
            *table(groups), "", *orders, *([""] if orders else []), provenance(groups)]


def winograd(steps, direct, default, program, folder):
    """The same networks by Winograd's method and by direct sums."""
    groups, lines = [], []
    for name, runs in direct.items():
        seeds = {run.seed for run in runs}
        others = [run for run in default.get(name, []) if run.seed in seeds]
        if others:
            groups += [(f"{NETWORKS[name]}, Winograd", others), (f"{NETWORKS[name]}, direct", runs)]
    if not groups:
        return lines
    figure = f"winograd-{steps}.svg"
    draw(program, groups, os.path.join(folder, figure), f"Winograd's method against direct sums, {steps:,} steps")
    return [f"### {steps:,} steps by either method", "",
            f"    make experiment-degradation STEPS={steps} NETWORKS=\"{' '.join(direct)}\" LABEL=direct RNC_FLAGS=-fno-winograd", "",
            f"![losses](results/{figure})", "", *table(groups), "", provenance(groups)]


def replace(text, name, lines):
    begin, end = f"<!-- generated by make experiment-degradation: {name}: begin -->", f"<!-- generated by make experiment-degradation: {name}: end -->"
    if begin not in text or end not in text:
        sys.exit(f"error: docs/results.md has no part '{name}'")
    return re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: "\n".join([begin, *lines, end]), text, flags=re.S)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rnc", required=True)
    parser.add_argument("--results", required=True)
    options = parser.parse_args()
    found = read_runs(options.results)
    page = os.path.join(ROOT, "docs", "results.md")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "digits")  # any trainer draws the curves of all
        subprocess.run([options.rnc, "--train", "-o", program, os.path.join(ROOT, "examples/digits/resnet8.rn")], check=True,
                       stderr=subprocess.DEVNULL)
        experiment, methods = [], []
        for (label, steps), runs in sorted(found.items(), key=lambda item: -item[0][1]):
            if not label:
                experiment += section(steps, runs, program, options.results) + [""]
            elif label == "direct":
                methods += winograd(steps, runs, found.get(("", steps), {}), program, options.results) + [""]
    with open(page) as file:
        text = file.read()
    text = replace(text, "degradation", experiment[:-1])
    text = replace(text, "winograd", methods[:-1] or ["Not run so far."])
    with open(page, "w") as file:
        file.write(text)
    print(f"written: {os.path.relpath(page)}")


main()
