#!/bin/bash
# rnc bench: a row per variant, as a table, JSON and a page.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/networks.bash"
emitted_unchecked
tiny > "$WORK/tiny.rn"
expect table 0 "$RNC" bench --seconds 0.02 tiny.rn
for variant in "-O0 " "-ffuse-add " "-ffold-affine " "-O2 "; do prints table "$variant"; done
expect json 0 "$RNC" bench --seconds 0.02 --json --html page.html --batch 2 --threads 2 tiny.rn
if "$PYTHON" - "$WORK/.out" <<'P' 2> "$WORK/.why"; then ok; else bad json "$(tail -1 "$WORK/.why")"; fi
import json, sys
b = json.load(open(sys.argv[1]))
v = b["variants"]
assert v[0]["name"] == "-O0" and v[-1]["name"] == "-O2" and b["batch"] == 2 and b["threads"] == 2
assert all(x["min_ms"] > 0 and x["min_ms"] <= x["median_ms"] and x["arena_bytes"] > 0 for x in v)
assert v[-1]["traffic_bytes"] < v[0]["traffic_bytes"], "fusion saves no traffic"
assert v[-1]["changes_code"] and all(x["difference"] <= 1e-4 for x in v)
P
if "$PYTHON" - "$WORK/page.html" <<'P' 2> "$WORK/.why"; then ok; else bad html "$(tail -1 "$WORK/.why")"; fi
import re, sys
from html.parser import HTMLParser
text = open(sys.argv[1], encoding="utf-8").read()
class P(HTMLParser):
    stack = []
    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "rect"): self.stack.append(tag)
        for k, v in attrs: assert k not in ("src", "href"), (k, v)
    def handle_startendtag(self, tag, attrs): pass
    def handle_endtag(self, tag): assert self.stack.pop() == tag, tag
p = P(); p.feed(text); p.close()
assert not p.stack and "<svg" in text and len(re.findall("<rect", text)) >= 2
P
expect "no page" 1 "$RNC" bench --seconds 0.02 --html nowhere/page.html tiny.rn
says "no page" nowhere/page.html
finish
