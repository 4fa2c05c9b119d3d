# awk -f md-man.awk -v page="RN 5" -v name="rn" -v text="what it is" -v version=0.1.0 -v see="rnc (1)" FILE.md [FILE.h ...] > rn.5
#
# A page of docs/ as a manual page: headings, paragraphs, lists, code, tables (a row is a paragraph with its first cell as tag) and
# the marks within a line. C headers follow as they are. Only what docs/ uses; a line that cannot be told apart is a paragraph's.
# It stands for pandoc, which would be a build dependency of 150 MB.

function escape(s) {
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    return s
}

function marks(s,    out, at) { # emphasis and links, outside of code
    s = escape(s)
    while (match(s, /\[[^]]*\]\([^)]*\)/)) {
        at = index(substr(s, RSTART), "](")
        s = substr(s, 1, RSTART - 1) substr(s, RSTART + 1, at - 2) substr(s, RSTART + RLENGTH)
    }
    while (match(s, /\*\*[^*]+\*\*/))
        s = substr(s, 1, RSTART - 1) "\\fB" substr(s, RSTART + 2, RLENGTH - 4) "\\fR" substr(s, RSTART + RLENGTH)
    while (match(s, /(^|[ (])\*[^ *][^*]*\*/)) {
        at = substr(s, RSTART, 1) == "*" ? 0 : 1
        s = substr(s, 1, RSTART - 1 + at) "\\fI" substr(s, RSTART + at + 1, RLENGTH - at - 2) "\\fR" substr(s, RSTART + RLENGTH)
    }
    return s
}

function inline(s,    n, part, i, out) {
    n = split(s, part, "`")
    for (i = 1; i <= n; i++) out = out (i % 2 ? marks(part[i]) : "\\fB" escape(part[i]) "\\fR")
    return out
}

function say(s) { # a line of text, which must not begin like a request
    print (s ~ /^[.']/ ? "\\&" : "") s
}

function flush() { # the paragraph or list item so far
    if (paragraph != "") {
        if (!item) print ".PP"
        say(inline(paragraph))
    }
    paragraph = ""
}

function code(on) {
    if (on == in_code) return
    flush()
    print on ? ".PP\n.RS 4\n.nf" : ".fi\n.RE"
    in_code = on
    item = 0
}

function row(s,    n, cell, i, rest) {
    gsub(/\\\|/, "\001", s)
    sub(/^\| */, "", s)
    sub(/ *\|$/, "", s)
    n = split(s, cell, / *\| */)
    for (i = 1; i <= n; i++) gsub("\001", "|", cell[i])
    if (!in_table) {
        for (i = 1; i <= n; i++) head[i] = cell[i]
        in_table = 1
        return
    }
    if (s ~ /^[-|: ]*$/) return
    for (i = 2; i <= n; i++)
        if (cell[i] != "") rest = rest (rest == "" ? "" : "; ") (i > 2 && head[i] != "" ? head[i] ": " : "") cell[i]
    print ".TP"
    say(inline(cell[1]))
    say(rest == "" ? "\\&" : inline(rest))
}

BEGIN {
    split(page, title, " ")
    printf ".TH %s %s \"\" \"rnc %s\" \"rnc\"\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", title[1], title[2], version, name, text
}

FILENAME ~ /\.h$/ {
    if (FNR == 1) {
        code(0)
        flush()
        file = FILENAME
        sub(/.*\//, "", file)
        print ".SH THE HEADER " escape(file)
        code(1)
    }
    say(escape($0))
    next
}

/^```/ { fenced = !fenced; code(fenced); next }
in_code && (fenced || /^    / || /^$/) {
    if (!fenced && /^$/) { blank++; next } # perhaps the end
    for (; blank > 0; blank--) print ""
    line = escape($0)
    say(fenced ? line : substr(line, 5))
    next
}
{ code(0); blank = 0 }
/^\|/ { flush(); item = 0; row($0); next }
{ in_table = 0 }
/^$/ { flush(); item = 0; after_blank = 1; next }
/^    / && after_blank { code(1); say(substr(escape($0), 5)); next }
{ after_blank = 0 }
/^# / { next }
/^## / { flush(); item = 0; print ".SH " toupper(inline(substr($0, 4))); next }
/^### / { flush(); item = 0; print ".SS " inline(substr($0, 5)); next }
/^- / { flush(); print ".IP \\(bu 2"; item = 1; paragraph = substr($0, 3); next }
{ sub(/^ +/, ""); paragraph = paragraph (paragraph == "" ? "" : " ") $0 }

END {
    code(0)
    flush()
    if (see != "") {
        print ".SH SEE ALSO"
        n = split(see, pages, ", ")
        for (i = 1; i <= n; i++) print ".BR " pages[i] (i < n ? " ," : "")
    }
}
