#!/bin/bash
# rnc bench: a row per variant, as a table, JSON and a page.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
emitted_unchecked
tiny > "$WORK/tiny.rn"
expect table 0 "$RNC" bench --seconds 0.02 tiny.rn
prints table "passes"
for variant in "-O0 " "-ffuse-add " "-ffold-affine " "-O2 "; do prints table "$variant"; done
expect json 0 "$RNC" bench --seconds 0.02 --json --html page.html --batch 2 --threads 2 tiny.rn
if "$PYTHON" - "$WORK/.out" <<'P' 2> "$WORK/.why"; then ok; else bad json "$(tail -1 "$WORK/.why")"; fi
import json, sys
b = json.load(open(sys.argv[1]))
v = b["variants"]
assert v[0]["name"] == "-O0" and v[-1]["name"] == "-O2" and b["batch"] == 2 and b["threads"] == 2
assert all(x["min_ms"] > 0 and x["min_ms"] <= x["median_ms"] and x["arena_bytes"] > 0 for x in v)
assert v[-1]["traffic_bytes"] < v[0]["traffic_bytes"], "fusion saves no traffic"
kinds = {x["name"]: x["kind"] for x in v}
assert kinds["-O0"] == "unfused" and kinds["-O2"] == "all" and kinds["-ffuse-add"] == "alone" and kinds["-O2 -fno-in-place"] == "without", kinds
assert b["rnc"] and b["machine"] and b["date"] and b["weights"] == "random weights"
assert v[-1]["changes_code"] and all(x["difference"] <= 1e-4 for x in v)
P
if "$PYTHON" - "$WORK/page.html" <<'P' 2> "$WORK/.why"; then ok; else bad html "$(tail -1 "$WORK/.why")"; fi
import re, sys
from html.parser import HTMLParser
text = open(sys.argv[1], encoding="utf-8").read()
class P(HTMLParser):
    stack, widths = [], set()
    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"): self.stack.append(tag)
        if tag == "tr": self.width = 0
        if tag in ("td", "th"): self.width += 1
        for k, v in attrs: assert k not in ("src", "href"), (k, v)
    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, tag
        if tag == "tr": self.widths.add(self.width)
p = P(); p.feed(text); p.close()
assert not p.stack and len(p.widths) == 1, (p.stack, p.widths)
assert len(re.findall("this alone<", text)) > 3 and re.search("-O2 -fno-in-place</code></td><td class=.l.>all but this<", text)
assert re.search(r"rnc \d+\.\d+\.\d+ on .+, <time>\d{4}-\d\d-\d\dT", text) and "<i style=" in text
P
expect "no page" 1 "$RNC" bench --seconds 0.02 --html nowhere/page.html tiny.rn
says "no page" nowhere/page.html
finish
