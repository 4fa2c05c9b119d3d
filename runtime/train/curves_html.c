/* A figure as one self-contained page, light and dark. Panels are SVG that stretches, with labels beside it as text, so
 * that letters keep their size at every width. What is shown is toggled by style alone; the script adds the read-out.
 */
#include "curves_figure.h"
#include "core/markup.h"

#include <math.h>

/* The colours are Okabe and Ito's, but for yellow. */
static const char style[] =
    ":root{color-scheme:light dark;--page:#fff;--text:#1c2430;--soft:#566070;--line:#dfe4ea;--head:#f3f5f8;"
    "--hover:#f5f8fc;--link:#1763c6;--box:#f7f9fb;--rule:#c8d0da;--grid:#e6eaef;--k0:#0072b2;--k1:#d55e00;--k2:#009e73;"
    "--k3:#cc79a7;--k4:#e69f00;--k5:#56b4e9;--k6:#000}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#14181f;--text:#e4e8ee;--soft:#9aa5b4;--line:#2a323d;"
    "--head:#1c222b;--hover:#1d2530;--link:#78b0ff;--box:#1b2129;--rule:#3a4350;--grid:#262e38;--k0:#2a8fd0;"
    "--k2:#12b386;--k6:#e4e8ee}}\n"
    "*{box-sizing:border-box}body{font:14px/1.45 system-ui,sans-serif;margin:0;padding:1.4em clamp(.8em,2vw,2.4em) 3em;"
    "color:var(--text);background:var(--page)}h1{font-size:1.5em;margin:0 0 .2em;overflow-wrap:anywhere}"
    "h2{font-size:1.1em;margin:0 0 .5em}p{margin:.2em 0;color:var(--soft)}a{color:var(--link)}\n"
    ".toggles{display:flex;flex-wrap:wrap;gap:.3em 1.4em;margin:1em 0}label{cursor:pointer;white-space:nowrap}"
    "input{margin:0 .45em 0 0;vertical-align:-.1em;accent-color:var(--link)}\n"
    ".panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26em),1fr));gap:1.6em 2em;"
    "margin:1em 0 1.6em}.panel{position:relative;min-width:0}"
    ".plot{display:grid;grid-template-columns:3.6em 1fr;grid-template-rows:auto 2.6em;font-size:12px;"
    "color:var(--soft)}.y,.x{position:relative}.y span{position:absolute;right:.6em;transform:translateY(50%)}"
    ".x span{position:absolute;top:.3em;transform:translateX(-50%)}.x b{position:absolute;top:1.7em;left:50%;"
    "transform:translateX(-50%);font-weight:400}.x,.y{white-space:nowrap;line-height:1.2}\n"
    ".plot svg{display:block;width:100%;aspect-ratio:5/3;max-height:65vh;border:solid var(--rule);border-width:0 0 1px "
    "1px;touch-action:pan-y;cursor:crosshair}.plot svg:focus-visible{outline:2px solid var(--link)}"
    "svg path{fill:none;stroke:var(--c);stroke-dasharray:var(--d,none);stroke-width:1.2;stroke-linejoin:round;"
    "stroke-linecap:round;vector-effect:non-scaling-stroke}svg .grid{stroke:var(--grid)}svg .raw{stroke-width:.8;"
    "opacity:var(--faint)}svg .test{stroke-width:2.7}svg .cursor{stroke:var(--soft);stroke-width:1}\n"
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:6px}table{border-collapse:collapse;width:100%;"
    "font-size:12.5px;font-variant-numeric:tabular-nums}th,td{padding:.32em .6em;text-align:right;white-space:nowrap;"
    "border-bottom:1px solid var(--line)}th{background:var(--head);font-weight:600}thead tr:last-child "
    "th{border-bottom-color:var(--rule)}th.g{text-align:center}tbody tr:hover{background:var(--hover)}tbody "
    "tr:last-child td{border-bottom:0}th.l,td.l{text-align:left}td.l{white-space:normal;min-width:15em}"
    "td label{display:flex;align-items:baseline;gap:.5em;white-space:normal;overflow-wrap:anywhere}td "
    "input{flex:none;margin:0}td svg{flex:none;width:38px;height:10px}.s{color:var(--soft)}\n"
    ".tip{position:absolute;top:3em;z-index:1;pointer-events:none;background:var(--box);border:1px solid var(--rule);"
    "border-radius:6px;padding:.4em .7em;font-size:12px;max-width:min(24em,70%);max-height:20em;overflow:hidden;"
    "color:var(--text);box-shadow:0 2px 8px #0003}.tip div{display:flex;gap:.5em;align-items:baseline}.tip "
    "i{flex:none;width:.7em;height:.7em;border-radius:2px;background:var(--c)}.tip span{overflow:hidden;"
    "text-overflow:ellipsis;white-space:nowrap;flex:1 1 "
    "auto;min-width:3em}.tip em{flex:none;font-style:normal;font-variant-numeric:tabular-nums}\n"
    "body:has(#raw:not(:checked)) .raw,body:has(#mean:not(:checked)) .mean,body:has(#test:not(:checked)) .test,"
    "body:has(#log:checked) .linear,body:has(#log:not(:checked)) .log{display:none}\n";

/* Curves' values at the pointer, in all panels at once; the arrow keys move it as well. */
static const char script[] =
    "const data=JSON.parse(document.getElementById('data').textContent),plots=[...document.querySelectorAll('.plot "
    "svg')];\n"
    "const percent=v=>(100*v).toFixed(2)+' %',loss=v=>v>=0.1?v.toFixed(4):v.toPrecision(3);\n"
    "const group=n=>n.toLocaleString('en-US');\n"
    "let at=null;\n"
    "function upTo(steps,step){let a=0,b=steps.length;while(a<b){const m=(a+b)>>1;if(steps[m]<=step)a=m+1;else b=m}"
    "return a-1}\n"
    "function nearest(steps,step){const i=upTo(steps,step);\n"
    "  return i+1<steps.length&&(i<0||steps[i+1]-step<step-steps[i])?i+1:i}\n"
    "function readings(run,step,isLoss){\n"
    "  const i=nearest(run.step,step),out=[];\n"
    "  if(i<0||Math.abs(run.step[i]-step)>data.steps/40)return out;\n"
    "  if(isLoss){if(run.loss[i]!==null)out.push(loss(run.loss[i]))}\n"
    "  else{if(run.train[i]!==null)out.push('train '+percent(run.train[i]));\n"
    "    const k=upTo(run.testStep,step);if(k>=0)out.push('test '+percent(run.test[k]))}\n"
    "  return out}\n"
    "function hide(){at=null;document.querySelectorAll('.tip,.cursor').forEach(e=>e.remove())}\n"
    "function show(plot,x){\n"
    "  hide();at=Math.min(Math.max(x,0),1);\n"
    "  plots.forEach(p=>{const c=document.createElementNS('http://www.w3.org/2000/svg','path');\n"
    "    c.setAttribute('class','cursor');c.setAttribute('d','M'+6000*at+' 0v3600');p.append(c)});\n"
    "  const panel=plot.closest('.panel'),step=Math.round(at*data.steps),tip=document.createElement('div');\n"
    "  tip.className='tip';tip.textContent='step '+group(step);\n"
    "  data.runs.forEach((run,i)=>{\n"
    "    if(!document.getElementById('c'+i).checked)return;\n"
    "    const texts=readings(run,step,panel.classList.contains('loss'));if(!texts.length)return;\n"
    "    const line=document.createElement('div'),mark=document.createElement('i'),name=document.createElement('span'),"
    "value=document.createElement('em');\n"
    "    mark.className='s'+i;name.textContent=document.getElementById('n'+i).textContent;"
    "value.textContent=texts.join(', ');\n"
    "    line.append(mark,name,value);tip.append(line)});\n"
    "  panel.append(tip);\n"
    "  const box=plot.getBoundingClientRect(),left=box.left-panel.getBoundingClientRect().left+at*box.width;\n"
    "  tip.style.left=(at<0.5?left+12:Math.max(left-12-tip.offsetWidth,0))+'px'}\n"
    "plots.forEach(plot=>{\n"
    "  const follow=e=>{const box=plot.getBoundingClientRect();show(plot,(e.clientX-box.left)/box.width)};\n"
    "  plot.tabIndex=0;plot.onpointermove=follow;plot.onpointerdown=follow;plot.onpointerleave=hide;plot.onblur=hide;\n"
    "  plot.onkeydown=e=>{const by={ArrowLeft:-1,ArrowRight:1}[e.key];\n"
    "    if(e.key==='Escape')hide();if(!by)return;\n"
    "    e.preventDefault();show(plot,(at===null?0.5:at)+by*(e.shiftKey?0.05:0.005))};\n"
    "});\n";

enum { COLOURS = 7, SAMPLES = 400 }; /* SAMPLES: of a run, for the read-out */

/* ---- style of each run ---- */
static void put_run_styles(FILE *out, const rn_curves_figure *f) {
    for (int i = 0; i < f->count; i++) {
        const int kind = i / f->options.seeds, *dash = rn_curves_dash(kind / COLOURS);
        fprintf(out, ".r%d,.s%d{--c:var(--k%d);--faint:%.3g", i, i, kind % COLOURS, rn_curves_faint(f, i));
        if (dash[0]) fprintf(out, ";--d:%d %d %d %d", dash[0], dash[1], dash[2], dash[3]);
        fprintf(out, "}body:has(#c%d:not(:checked)) .r%d{display:none}\n", i, i);
    }
}

/* ---- panels ---- */
static void put_curve(FILE *out, const rn_curves_figure *f, rn_curves_panel panel, int run, const double *value,
                      const char *class) {
    const rn_curves_log *log = &f->runs[run].log;
    fprintf(out, "<path class=\"%s r%d\" d=\"", class, run);
    rn_curves_path(out, &f->axes[panel], log->column[RN_CURVES_STEP], value, log->rows, &f->room);
    fputs("\"/>\n", out);
}

static void put_curves(FILE *out, const rn_curves_figure *f, rn_curves_panel panel) {
    const int errors = panel == RN_CURVES_PANEL_ERROR;
    for (int i = 0; i < f->count && f->options.smoothing != RN_CURVES_RAW; i++)
        put_curve(out, f, panel, i, f->runs[i].log.column[errors ? RN_CURVES_TRAIN_ERROR : RN_CURVES_LOSS], "raw");
    for (int i = 0; i < f->count; i++)
        put_curve(out, f, panel, i, errors ? f->runs[i].train_error : f->runs[i].loss, "mean");
    for (int i = 0; i < f->count && errors; i++)
        put_curve(out, f, panel, i, f->runs[i].log.column[RN_CURVES_TEST_ERROR], "test");
}

static void put_panel(FILE *out, const rn_curves_figure *f, rn_curves_panel panel, const char *class,
                      const char *heading) {
    const rn_curves_axes *axes = &f->axes[panel];
    double ticks[RN_CURVES_TICKS];
    char text[RN_CURVES_TEXT];
    int count = rn_curves_ticks(axes->low, axes->high, axes->logarithmic, ticks);
    fprintf(out, "<section class=\"panel %s\"><h2>%s</h2>\n<div class=\"plot\"><div class=\"y\">", class, heading);
    for (int i = 0; i < count; i++)
        fprintf(out, "<span style=\"bottom:%.2f%%\">%s</span>", 100 * rn_curves_height(axes, ticks[i]),
                rn_curves_value_tick(text, panel, ticks[i]));
    fprintf(out,
            "</div>\n<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s over "
            "steps\">\n<path class=\"grid\" d=\"",
            RN_CURVES_WIDTH, RN_CURVES_HEIGHT, heading);
    for (int i = 0; i < count; i++)
        fprintf(out, "M0 %.0fh%d", RN_CURVES_HEIGHT * (1 - rn_curves_height(axes, ticks[i])), RN_CURVES_WIDTH);
    fputs("\"/>\n", out);
    put_curves(out, f, panel);
    fputs("</svg><div></div>\n<div class=\"x\">", out);
    count = rn_curves_ticks(0, axes->steps, 0, ticks);
    for (int i = 0; i < count; i++)
        fprintf(out, "<span style=\"left:%.2f%%\">%s</span>", 100 * ticks[i] / axes->steps,
                rn_curves_steps_tick(text, ticks[i], axes->steps));
    fputs("<b>step</b></div></div></section>\n", out);
}

static void put_toggle(FILE *out, const char *id, int checked, const char *text) {
    fprintf(out, "<label><input type=\"checkbox\" id=\"%s\" autocomplete=\"off\"%s>%s</label>\n", id,
            checked ? " checked" : "", text);
}

/* ---- the table ---- */
static void put_cell(FILE *out, const char *text) {
    fprintf(out, "<td>%s</td>", text);
}

static void put_step_cell(FILE *out, double step) {
    char text[RN_CURVES_TEXT] = "";
    put_cell(out, isfinite(step) ? rn_curves_step_text(text, step) : text);
}

static void put_row(FILE *out, const rn_curves_figure *f, int index) {
    const rn_curves_run *run = &f->runs[index];
    const int rows = run->log.rows;
    char text[RN_CURVES_TEXT];
    fprintf(out,
            "<tr><td class=\"l\"><label class=\"s%d\"><input type=\"checkbox\" id=\"c%d\" autocomplete=\"off\" "
            "checked><svg viewBox=\"0 0 38 10\"><path d=\"M1 5h15\"/><path class=\"both\" d=\"M22 5h15\" "
            "style=\"stroke-width:2.7\"/></svg><span><span id=\"n%d\" title=\"",
            index, index, index);
    rn_markup_put(out, run->path, 0);
    fputs("\">", out);
    rn_markup_put(out, run->name, 0);
    fputs("</span>", out);
    if (!rows) fputs(" <span class=\"s\">no steps yet</span>", out);
    if (isfinite(run->diverged))
        fprintf(out, " <span class=\"s\">the loss of step %s is not finite</span>",
                rn_curves_step_text(text, run->diverged));
    fputs("</span></label></td>", out);
    put_step_cell(out, rows ? run->log.column[RN_CURVES_STEP][rows - 1] : 0);
    text[0] = 0;
    if (isfinite(run->epochs)) snprintf(text, sizeof text, "%.4g", run->epochs);
    put_cell(out, text);
    put_cell(out, rn_curves_percent(text, run->last_train_error.value));
    put_cell(out, rn_curves_percent(text, run->best_train_error.value));
    put_cell(out, rn_curves_percent(text, run->last_test_error.value));
    put_cell(out, rn_curves_percent(text, run->best_test_error.value));
    put_step_cell(out, run->best_test_error.step);
    put_cell(out, rn_curves_loss_text(text, run->last_loss.value));
    put_cell(out, rn_curves_loss_text(text, run->best_loss.value));
    put_step_cell(out, run->rate < 1e15 ? round(run->rate) : (double)NAN);
    fputs("</tr>\n", out);
}

static void put_table(FILE *out, const rn_curves_figure *f) {
    fputs("<div class=\"scroll\"><table><thead><tr><th class=\"l\" rowspan=\"2\">run</th><th rowspan=\"2\">steps</th>"
          "<th rowspan=\"2\">epochs</th><th class=\"g\" colspan=\"2\">training error</th>"
          "<th class=\"g\" colspan=\"3\">test error</th><th class=\"g\" colspan=\"2\">loss</th>"
          "<th rowspan=\"2\">images/s</th></tr><tr><th>last</th><th>best</th><th>last</th><th>best</th>"
          "<th>at step</th><th>last</th><th>best</th></tr></thead>\n<tbody>\n",
          out);
    for (int i = 0; i < f->count; i++) put_row(out, f, i);
    fputs("</tbody></table></div>\n", out);
}

/* ---- the read-out's data ---- */
static int sample(const rn_curves_log *log, int k) {
    return log->rows <= SAMPLES ? k : (int)((double)k * (log->rows - 1) / (SAMPLES - 1) + 0.5);
}

static void put_samples(FILE *out, const char *name, const rn_curves_log *log, const double *value, const char *form) {
    fprintf(out, "\"%s\":[", name);
    for (int k = 0; k < log->rows && k < SAMPLES; k++) {
        const double x = value[sample(log, k)];
        if (k) fputc(',', out);
        if (isfinite(x))
            fprintf(out, form, x);
        else
            fputs("null", out);
    }
    fputs("],", out);
}

static void put_tests(FILE *out, const char *name, const rn_curves_log *log, rn_curves_column column, const char *end) {
    const char *comma = "";
    fprintf(out, "\"%s\":[", name);
    for (int i = 0; i < log->rows; i++) {
        if (!isfinite(log->column[RN_CURVES_TEST_ERROR][i])) continue;
        fprintf(out, "%s%.10g", comma, log->column[column][i]);
        comma = ",";
    }
    fprintf(out, "]%s", end);
}

static void put_data(FILE *out, const rn_curves_figure *f) {
    fprintf(out, "<script type=\"application/json\" id=\"data\">{\"steps\":%.0f,\"runs\":[", f->axes[0].steps);
    for (int i = 0; i < f->count; i++) {
        const rn_curves_run *run = &f->runs[i];
        fputs(i ? ",\n{" : "\n{", out);
        put_samples(out, "step", &run->log, run->log.column[RN_CURVES_STEP], "%.0f");
        put_samples(out, "loss", &run->log, run->loss, "%.4g");
        put_samples(out, "train", &run->log, run->train_error, "%.4g");
        put_tests(out, "testStep", &run->log, RN_CURVES_STEP, ",");
        put_tests(out, "test", &run->log, RN_CURVES_TEST_ERROR, "}");
    }
    fputs("]}</script>\n", out);
}

void rn_curves_html(FILE *out, const rn_curves_figure *f) {
    const char *title = f->options.title ? f->options.title : "Training curves";
    const int smoothed = f->options.smoothing != RN_CURVES_RAW;
    char text[RN_CURVES_TEXT];
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width,initial-scale=1\"><title>",
          out);
    rn_markup_put(out, title, 0);
    fprintf(out, "</title>\n<style>\n%s", style);
    put_run_styles(out, f);
    fputs("</style></head><body>\n<h1>", out);
    rn_markup_put(out, title, 0);
    fprintf(out, "</h1>\n<p>Thin: training error and loss, %s%s. Bold: test error.</p>\n",
            rn_curves_smoothing_text(text, &f->options), smoothed ? "; faint: as logged" : "");
    fputs("<div class=\"toggles\">\n", out);
    if (smoothed) {
        put_toggle(out, "mean", 1, "smoothed");
        put_toggle(out, "raw", 1, "as logged");
    }
    put_toggle(out, "test", 1, "test error");
    put_toggle(out, "log", f->options.log_loss, "loss on a logarithmic scale");
    fputs("</div>\n<div class=\"panels\">\n", out);
    put_panel(out, f, RN_CURVES_PANEL_ERROR, "error", "Error");
    put_panel(out, f, RN_CURVES_PANEL_LOSS, "loss linear", "Loss");
    put_panel(out, f, RN_CURVES_PANEL_LOG_LOSS, "loss log", "Loss, logarithmic");
    fputs("</div>\n", out);
    put_table(out, f);
    fprintf(out, "<p>%sBest: the least%s.</p>\n",
            smoothed ? "Last and best training errors and losses are means, as drawn. " : "",
            f->count > 1 ? " of the run" : "");
    put_data(out, f);
    fprintf(out, "<script>\n%s</script>\n</body></html>\n", script);
}
