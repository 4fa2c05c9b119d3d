/* How eval's pictures become inputs: as the source says, but for what the options say. */
#include "eval.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take_side(const char **at, int *side) {
    char *end;
    errno = 0;
    const long n = strtol(*at, &end, 10);
    if (end == *at || errno || n < 1 || n > RN_MAX_IMAGE_SIDE) return false;
    *at = end;
    *side = (int)n;
    return true;
}

/* N: *h is 0 and *w is N; HxW */
static bool take_size(const char *text, int *h, int *w) {
    *h = 0;
    if (!take_side(&text, w)) return false;
    if (!*text) return true;
    *h = *w;
    return *text++ == 'x' && take_side(&text, w) && !*text;
}

static int take_resize(Eval *eval) {
    const EvalOptions *o = &eval->cli->eval;
    rn_picture_recipe *r = &eval->loader.recipe;
    int h, w;
    if (!strcmp(o->resize, "squash")) {
        r->preprocess.resize = 0;
        return CLI_OK;
    }
    if (!take_size(o->resize, &h, &w))
        return cli_usage(eval->cli, "--resize: '%s' is none of 256, 256x320 (height x width) and squash", o->resize);
    if (h) {
        r->resized_h = h;
        r->resized_w = w;
    } else {
        r->preprocess.resize = w;
    }
    return CLI_OK;
}

/* timm's rule: the input's side / P, rounded down. */
static int take_crop_share(Eval *eval) {
    const rn_shape in = eval->cli->model->input;
    const double share = eval->cli->eval.crop_share;
    if (share > 1) return cli_usage(eval->cli, "--crop-pct: %g; it is above 0, and 1 at most", share);
    if (in.h != in.w)
        return cli_usage(eval->cli, "--crop-pct is for square inputs; this one has %d x %d: --resize", in.h, in.w);
    const double side = floor(in.h / share);
    if (side > RN_MAX_IMAGE_SIDE) return cli_usage(eval->cli, "--crop-pct: %g makes pictures too large", share);
    eval->loader.recipe.preprocess.resize = (int)side;
    return CLI_OK;
}

static int check_crop(const Eval *eval) {
    const rn_model *m = eval->cli->model;
    int h, w;
    if (!take_size(eval->cli->eval.crop, &h, &w))
        return cli_usage(eval->cli, "--crop: '%s' is neither 224 nor 224x192 (height x width)", eval->cli->eval.crop);
    if (!h) h = w;
    if (h == m->input.h && w == m->input.w) return CLI_OK;
    return cli_fail(eval->cli,
                    "--crop: this program's input is %d x %d, which is fixed when it is compiled; compile the network "
                    "for %d x %d (rnc -D, or an ONNX model of that size)",
                    m->input.h, m->input.w, h, w);
}

static int take_channels(const Eval *eval, const char *option, const char *text, float values[4]) {
    double numbers[4];
    const int channels = eval->cli->model->input.c, count = cli_numbers(numbers, 4, text);
    if (!count || (count != 1 && count != channels))
        return cli_usage(eval->cli, "%s: '%s' is neither one number nor one for each of %d channels", option, text,
                         channels);
    for (int c = 0; c < 4; c++) values[c] = (float)numbers[count == 1 ? 0 : c < count ? c : 0];
    return CLI_OK;
}

static int take_word(const Eval *eval, const char *option, const char *text, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (!strcmp(text, words[i])) return i;
    cli_usage(eval->cli, "%s: '%s' is none of %s, %s%s%s", option, text, words[0], words[1], count > 2 ? ", " : "",
              count > 2 ? words[2] : "");
    return -1;
}

static int take_scales(Eval *eval) {
    const char *text = eval->cli->eval.scales;
    rn_loader_options *l = &eval->loader;
    for (const char *at = text; l->scale_count < RN_LOADER_SCALES && take_side(&at, &l->scales[l->scale_count]); at++) {
        l->scale_count++;
        if (!*at) return CLI_OK;
        if (*at != ',') break;
    }
    return cli_usage(eval->cli, "--scales: '%s' is no list of sizes, such as 224,256,384", text);
}

/* ---- words ---- */

static const char *const orders[] = {"rgb", "bgr", "gray"}; /* by rn_order */

static void append(Eval *eval, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(Eval *eval, const char *format, ...) {
    const size_t used = strlen(eval->protocol);
    va_list args;
    va_start(args, format);
    vsnprintf(eval->protocol + used, sizeof eval->protocol - used, format, args);
    va_end(args);
}

/* What colours become: "; bgr, 0 to 255, mean 104 117 123". Nothing where they are 0 to 1 as they are. */
static void word_numbers(Eval *eval) {
    const rn_preprocess *p = &eval->loader.recipe.preprocess;
    const int channels = eval->loader.recipe.input.c < 4 ? eval->loader.recipe.input.c : 4;
    const char *between = "; ";
    bool means = false, stds = false;
    for (int c = 0; c < channels; c++) means |= p->mean[c] != 0, stds |= p->std[c] != 1;
    if (channels == 1 ? p->order != RN_ORDER_GRAY : p->order != RN_ORDER_RGB)
        append(eval, "%s%s", between, orders[p->order]), between = ", ";
    if (p->range != 1) append(eval, "%s0 to %g", between, (double)p->range), between = ", ";
    for (int c = 0; c < channels && means; c++)
        append(eval, "%s%s%g", c ? " " : between, c ? "" : "mean ", (double)p->mean[c]);
    if (means) between = ", ";
    for (int c = 0; c < channels && stds; c++)
        append(eval, "%s%s%g", c ? " " : between, c ? "" : "std ", (double)p->std[c]);
}

static void word_protocol(Eval *eval) {
    static const char *const filters[] = {"bilinear", "bicubic", "bilinear, not antialiased",
                                          "bicubic, not antialiased"};
    const rn_picture_recipe *r = &eval->loader.recipe;
    const rn_loader_options *l = &eval->loader;
    char size[64] = "";
    if (r->resized_h)
        snprintf(size, sizeof size, "resized to %d x %d", r->resized_h, r->resized_w);
    else if (l->scale_count)
        snprintf(size, sizeof size, "%d sizes of the shorter side", l->scale_count);
    else if (r->preprocess.resize)
        snprintf(size, sizeof size, "shorter side to %d", r->preprocess.resize);
    const char *rounded = r->rounded ? ", 8 bits" : "";
    const char *crop = l->crops == 10 ? "10 crops of" : "centre crop";
    if (*size || l->crops == 10)
        snprintf(eval->protocol, sizeof eval->protocol, "%s%s%s %d x %d, %s%s", size, *size ? ", " : "", crop,
                 r->input.h, r->input.w, filters[r->filter], rounded);
    else
        snprintf(eval->protocol, sizeof eval->protocol, "resized to %d x %d, %s%s", r->input.h, r->input.w,
                 filters[r->filter], rounded);
}

int eval_protocol(Eval *eval) {
    static const char *const filters[] = {"bilinear", "bicubic"};
    const EvalOptions *o = &eval->cli->eval;
    rn_picture_recipe *r = &eval->loader.recipe;
    r->input = eval->cli->model->input;
    r->layout = eval->cli->model->input_layout;
    r->preprocess = eval->cli->model->preprocess;
    r->skip_broken = eval->cli->skip_broken;
    eval->loader.crops = o->crops ? o->crops : 1;
    if ((o->resize != NULL) + (o->scales != NULL) + (o->crop_share > 0) > 1)
        return cli_usage(eval->cli, "--resize, --crop-pct and --scales say the same: one of them");
    if (o->crops && o->crops != 1 && o->crops != 10)
        return cli_usage(eval->cli, "--crops: '%d' is neither 1 nor 10", o->crops);
    int status = CLI_OK, word = 0;
    if (o->resize) status = take_resize(eval);
    if (!status && o->crop_share > 0) status = take_crop_share(eval);
    if (!status && o->crop) status = check_crop(eval);
    if (!status && o->mean) status = take_channels(eval, "--mean", o->mean, r->preprocess.mean);
    if (!status && o->std) status = take_channels(eval, "--std", o->std, r->preprocess.std);
    if (!status && o->scales) status = take_scales(eval);
    if (!status && o->interpolation) word = take_word(eval, "--interpolation", o->interpolation, filters, 2);
    if (status || word < 0) return status ? status : CLI_USAGE;
    r->filter = (rn_filter)(word + (o->no_antialias ? RN_FILTER_BILINEAR_PLAIN : 0));
    r->rounded = o->round;
    if (o->range > 0) r->preprocess.range = (float)o->range;
    if (o->order) {
        word = take_word(eval, "--order", o->order, orders, 3);
        if (word < 0) return CLI_USAGE;
        r->preprocess.order = (rn_order)word;
    }
    for (int c = 0; c < 4; c++)
        if (o->std && !(fabsf(r->preprocess.std[c]) > 0)) return cli_usage(eval->cli, "--std: 0 divides nothing");
    word_protocol(eval);
    word_numbers(eval);
    return CLI_OK;
}
