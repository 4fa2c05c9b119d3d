#include "html.h"

#include <string.h>

#include "rn.h"
#include "view.h"

void html_escape(Text *out, const char *text) {
    Text utf8 = {0};
    text_puts_utf8(&utf8, text);
    for (const char *s = utf8.s; s && *s; s++) {
        if (*s == '<')
            text_puts(out, "&lt;");
        else if (*s == '>')
            text_puts(out, "&gt;");
        else if (*s == '&')
            text_puts(out, "&amp;");
        else if (*s == '"')
            text_puts(out, "&quot;");
        else
            text_write(out, s, 1);
    }
    text_free(&utf8);
}

void html_prose(Text *out, const char *s) {
    Arena arena = {0};
    while (*s) {
        const size_t length = *s == ' ' ? 1 : strcspn(s, " ");
        char *word = arena_strndup(&arena, s, length);
        const bool whole = strstr(word, "e-") != NULL;
        if (whole) text_puts(out, "<span class=\"nb\">");
        html_escape(out, word);
        if (whole) text_puts(out, "</span>");
        s += length;
    }
    arena_free(&arena);
}

static const char style[] =
    ":root{color-scheme:light "
    "dark;--page:#fff;--text:#1c2430;--soft:#566070;--line:#dfe4ea;--head:#f3f5f8;--hover:#f5f8fc;"
    "--link:#1763c6;--box:#f7f9fb;--edge:#93a0b0;--rule:#c8d0da;"
    "--c0:#1763c6;--c1:#0f8f7e;--c2:#b0620c;--c3:#7a4fc0;--c4:#7d8896;--c5:#c23a5e}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14181f;--text:#e4e8ee;--soft:#9aa5b4;--line:#2a323d;--head:#"
    "1c222b;"
    "--hover:#1d2530;--link:#78b0ff;--box:#1b2129;--edge:#6b7889;--rule:#3a4350;"
    "--c0:#5b9bf0;--c1:#3fbfae;--c2:#e09a4a;--c3:#ab8af0;--c4:#8793a3;--c5:#ee7391}}\n"
    "*{box-sizing:border-box}body{font:14px/1.45 system-ui,sans-serif;margin:0;padding:1.4em clamp(.8em,2vw,2.4em) 3em;"
    "color:var(--text);background:var(--page)}\n"
    "h1{font-size:1.5em;margin:0 0 .2em;overflow-wrap:anywhere}h2{font-size:1.1em;margin:2em 0 .6em}"
    "p{margin:.2em 0;color:var(--soft)}code{font-family:ui-monospace,monospace;font-size:.92em}"
    "p code{overflow-wrap:anywhere}a{color:var(--link)}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(10em,1fr));gap:.7em;margin:1.2em 0;padding:0}"
    ".figures div{border:1px solid var(--line);border-radius:6px;padding:.6em .8em;background:var(--box)}"
    ".figures b{display:block;font-size:1.25em;font-weight:600;white-space:nowrap}.figures span{color:var(--soft);"
    "font-size:.9em}\n"
    ".nb{white-space:nowrap}.figures .nb{font-size:1em}.fold "
    "button{font:inherit;font-size:.9em;color:var(--link);background:var(--box);border:1px solid var(--line);"
    "border-radius:4px;padding:.1em .6em;cursor:pointer}\n"
    /* not higher than the window, so that the bar to scroll by is in sight */
    ".scroll{overflow:auto;max-height:92vh;border:1px solid var(--line);border-radius:6px}"
    "@media print{.scroll{max-height:none}}"
    "table{border-collapse:collapse;width:100%;font-size:12.5px;font-variant-numeric:tabular-nums}"
    "th,td{padding:.32em .42em;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}"
    "th{background:var(--head);font-weight:600;position:sticky;top:0;z-index:1;box-shadow:inset 0 -1px "
    "var(--rule)}tbody tr{scroll-margin-top:3em}tbody tr:hover{background:var(--hover)}"
    "tbody tr:target{background:var(--hover);outline:2px solid var(--c0);outline-offset:-2px}"
    ".sort td:nth-child(2),.sort th:nth-child(2){position:sticky;left:0;background:var(--page)}"
    ".sort th:nth-child(2),.sort tfoot td:nth-child(2){background:var(--head)}.sort th:nth-child(2){z-index:2}"
    "th.w{white-space:normal}td.w{white-space:normal;min-width:14em}.l{text-align:left}.t{white-space:normal;min-width:"
    "20em}.s{color:var(--"
    "soft)}tbody tr:last-child "
    "td{border-bottom:0}"
    "tfoot td{border-top:1px solid var(--rule);border-bottom:0;font-weight:600;background:var(--head)}\n"
    "th button{all:unset;cursor:pointer;font-weight:600}th button:hover{color:var(--link)}"
    "th button:focus-visible{outline:2px solid var(--link)}th[aria-sort] button::after{content:\" "
    "\\25b2\";font-size:.75em}"
    "th[aria-sort=descending] button::after{content:\" \\25bc\"}\n"
    ".bar{min-width:76px}.bar.wide{min-width:160px}.bar "
    "i{display:block;height:.72em;border-radius:2px;background:var(--c4)}"
    ".k0 i,.k0.key::before{background:var(--c0)}.k1 i,.k1.key::before{background:var(--c1)}"
    ".k2 i,.k2.key::before{background:var(--c2)}.k3 i,.k3.key::before{background:var(--c3)}"
    ".k4 i,.k4.key::before{background:var(--c4)}.k5 i,.k5.key::before{background:var(--c5)}\n"
    ".stack{display:flex;height:1.4em;border-radius:5px;overflow:hidden;gap:1px;margin:.9em 0 .4em}.stack "
    "span{min-width:1px}"
    ".stack .k0{background:var(--c0)}.stack .k1{background:var(--c1)}.stack .k2{background:var(--c2)}"
    ".stack .k3{background:var(--c3)}.stack .k4{background:var(--c4)}.stack .k5{background:var(--c5)}"
    ".keys{display:flex;flex-wrap:wrap;gap:.2em 1.4em;color:var(--soft);font-size:.92em}.key{white-space:nowrap}"
    ".key::before{content:\"\";display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.45em}\n"
    ".graph{padding:1em;max-height:none}.graph .rows{display:flex;flex-direction:column;width:max-content;margin:0 "
    "auto}"
    ".row{display:flex;align-items:stretch}.row.one{justify-content:center}.c,.p{flex:none;display:flex;"
    "flex-direction:column;align-items:center;padding:0 5px;position:relative;min-width:0}"
    ".c.o::after{content:\"\";flex:1;border-left:1.5px solid var(--edge)}"
    ".c.a::before{content:\"\";border:5px solid transparent;border-top:7px solid var(--edge);border-bottom:0;"
    "margin-top:-6px;position:relative;top:1px}"
    ".e,.v{display:block;width:100%;height:20px;contain:size}.v{position:absolute;inset:0;height:100%}.e path,.v "
    "path{fill:none;stroke:var(--edge);stroke-width:1.5px;"
    "vector-effect:non-scaling-stroke}"
    ".dot{width:7px;height:7px;border-radius:50%;background:var(--edge)}\n"
    ".n{display:block;position:relative;width:100%;max-width:230px;border:1px solid var(--rule);border-left:4px solid "
    "var(--rule);"
    "border-radius:5px;background:var(--page);padding:.25em .6em;font-size:12px;line-height:1.35;color:var(--text);"
    "text-decoration:none}.n b,.n span{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}"
    ".n span{color:var(--soft)}.n em{position:absolute;top:.25em;right:.6em;font-style:normal;color:var(--soft);"
    "background:var(--page)}a.n:hover{border-color:var(--link)}.n.end{text-align:center;border-left-width:1px;"
    "border-radius:1em;background:var(--head)}"
    ".n.k0{border-left-color:var(--c0)}.n.k1{border-left-color:var(--c1)}.n.k2{border-left-color:var(--c2)}"
    ".n.k3{border-left-color:var(--c3)}.n.k4{border-left-color:var(--c4)}.n.k5{border-left-color:var(--c5)}\n"
    ".g{border:1px solid var(--rule);border-radius:7px;background:var(--box);min-width:250px;max-width:100%}"
    ".one>.c>.g{max-width:none}.row:not(.one)>.c>.g{min-width:0;width:100%;overflow-x:auto}.g "
    "summary{overflow:hidden;text-overflow:ellipsis;cursor:pointer;padding:.4em .7em;font-size:13px;white-space:nowrap}"
    ".g summary code{color:var(--soft);margin-left:.4em}.g summary span{display:block;color:var(--soft);font-size:12px;"
    "padding-left:1.1em}.g summary i{display:block;height:3px;background:var(--c0);border-radius:2px;margin-top:2px}"
    ".g[open]{padding-bottom:.7em}.g>.rows{padding:.3em .9em}.g summary:hover b{color:var(--link)}\n";

/* A click on a heading sorts by it: cells have their numbers in data-v, or are compared as text. */
static const char script[] =
    "document.querySelectorAll('.fold').forEach(p=>[['unfold all',true],['fold all',false]].forEach(([word,open])=>{\n"
    "  const b=document.createElement('button');b.textContent=word;p.append(' ',b);\n"
    "  b.onclick=()=>document.querySelectorAll('.graph details').forEach(d=>{d.open=open});\n"
    "}));\n"
    "document.querySelectorAll('table.sort').forEach(table=>{\n"
    "  const body=table.tBodies[0],heads=[...table.tHead.rows[0].cells];\n"
    "  const value=(row,i)=>{const c=row.cells[i],v=c.dataset.v;return v===undefined?c.textContent:+v};\n"
    "  heads.forEach((head,i)=>{\n"
    "    const button=document.createElement('button');\n"
    "    button.append(...head.childNodes);head.append(button);\n"
    "    button.onclick=()=>{\n"
    "      const down=head.getAttribute('aria-sort')!=='descending'&&(head.dataset.down!==undefined||"
    "head.getAttribute('aria-sort')==='ascending');\n"
    "      heads.forEach(h=>h.removeAttribute('aria-sort'));\n"
    "      head.setAttribute('aria-sort',down?'descending':'ascending');\n"
    "      const order=(a,b)=>typeof a==='number'?a-b:a.localeCompare(b,undefined,{numeric:true});\n"
    "      "
    "[...body.rows].map(r=>[value(r,i),r]).sort((a,b)=>(down?-1:1)*order(a[0],b[0])).forEach(x=>body.append(x[1]));\n"
    "    };\n"
    "  });\n"
    "});\n";

void html_begin(Text *out, const char *heading, const char *command) {
    Arena arena = {0};
    text_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                   "content=\"width=device-width,initial-scale=1\"><title>");
    html_escape(out, heading);
    text_printf(out, "</title>\n<style>\n%s</style></head><body>\n<h1>", style);
    html_escape(out, heading);
    text_puts(out, "</h1>\n<p>rnc " RN_VERSION " on ");
    html_escape(out, view_machine(&arena));
    text_printf(out, ", <time>%s</time>: <code>", view_date(&arena));
    html_escape(out, command);
    text_puts(out, "</code></p>\n");
    arena_free(&arena);
}

void html_figure(Text *out, const char *value, const char *what) {
    text_puts(out, "<div><b>");
    html_escape(out, value);
    text_puts(out, "</b><span>");
    html_prose(out, what);
    text_puts(out, "</span></div>\n");
}

void html_end(Text *out) {
    text_printf(out, "<script>\n%s</script>\n</body></html>\n", script);
}
