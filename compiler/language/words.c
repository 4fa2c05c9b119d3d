/* The words of the language and what is said of others: the tables of ops.def, attrs.def and words.def. */
#include "words.h"

#include <ctype.h>
#include <string.h>

#include "base/diag.h"
#include "graph/ops.h"

static const struct {
    const char *word, *attrs;
} layers[OP_COUNT] = {
#define OP(name, word, low, high, flags, attrs, prefix) {#word, attrs},
#include "graph/ops.def"
#undef OP
};

typedef enum WordKind { WORD_SAME, WORD_WRITE, WORD_ABSENT } WordKind;

static const struct {
    const char *word;
    bool attr;
    WordKind kind;
    const char *text; /* the standard word, or what to write */
} foreign[] = {
#define SAME(word, standard) {#word, false, WORD_SAME, #standard},
#define WRITE(word, how) {#word, false, WORD_WRITE, how},
#define ABSENT(word, nearest) {#word, false, WORD_ABSENT, nearest},
#define SAME_ATTR(word, standard) {#word, true, WORD_SAME, #standard},
#define WRITE_ATTR(word, how) {#word, true, WORD_WRITE, how},
#define ABSENT_ATTR(word, nearest) {#word, true, WORD_ABSENT, nearest},
#include "words.def"
};

enum {
    FOREIGN = sizeof foreign / sizeof *foreign,
    MOST_ATTRS = 16, /* of a layer */
    LONGEST = 64     /* of a word that is looked up */
};

const char input_attrs[] = "rgb bgr gray mean std range resize crop nhwc", output_attrs[] = "nhwc";

/* Layers that another operation computes. */
static const struct {
    const char *word;
    Op op;
    const char *attrs;
} forms[] = {
    {"depthwise", OP_CONV, "stride pad dilate bias=0"},
    {"depthtospace", OP_INTERLEAVE, ""},
    {"pixelshuffle", OP_INTERLEAVE, ""},
    {"spacetodepth", OP_PHASES, ""},
    {"pixelunshuffle", OP_PHASES, ""},
};
enum { FORMS = sizeof forms / sizeof *forms };

static const char *const statement_words[] = {"network", "block", "import", "train", "input", "stage", "residual",
                                              "concat",  "gate",  "repeat", "if",    "from",  "output"};
enum { STATEMENT_WORDS = sizeof statement_words / sizeof *statement_words };

const char *layer_word(Op op) {
    return layers[op].word;
}

static int find_form(const char *word) {
    for (int i = 0; i < FORMS; i++)
        if (strcmp(forms[i].word, word) == 0) return i;
    return -1;
}

bool word_is_form(const char *word) {
    return find_form(word) >= 0;
}

const char *layer_name_word(Op op, const char *form) {
    return *layers[op].word == '.' ? form : layers[op].word;
}

/* concat is a statement of its own; what begins with a '.' no program can write. */
static Op standard_layer(const char *word) {
    for (int op = 0; op < OP_COUNT; op++)
        if (op != OP_CONCAT && layers[op].word[0] != '.' && strcmp(layers[op].word, word) == 0) return (Op)op;
    return OP_COUNT;
}

/* Its row, or -1. */
static int find_foreign(const char *word, bool attr) {
    for (int i = 0; i < FOREIGN; i++)
        if (foreign[i].attr == attr && strcmp(foreign[i].word, word) == 0) return i;
    return -1;
}

bool layer_by_word(const char *word, LayerWord *layer) {
    const int form = find_form(word);
    if (form >= 0) {
        *layer = (LayerWord){forms[form].op, forms[form].word, forms[form].attrs};
        return true;
    }
    int row = find_foreign(word, false);
    Op op = standard_layer(row >= 0 && foreign[row].kind == WORD_SAME ? foreign[row].text : word);
    if (op == OP_COUNT) return false;
    *layer = (LayerWord){op, layers[op].word, layers[op].attrs};
    return true;
}

bool attr_is_keyed(const char *word) {
    const AttrInfo *info = attr_info(word);
    return info && info->keyed;
}

const char *attr_listed(const char *attrs, const char *word) {
    int row = find_foreign(word, true);
    OpAttr attr;
    if (row >= 0 && foreign[row].kind == WORD_SAME) word = foreign[row].text;
    return attr_find(attrs, word, &attr) && attr.info->keyed ? attr.info->word : NULL;
}

/* ---- what is said of other words ---- */
/* In lower case and without '_', as words.def has them. */
static void plain_word(const char *word, char plain[LONGEST + 1]) {
    int n = 0;
    for (const char *s = word; *s && n < LONGEST; s++)
        if (*s != '_') plain[n++] = (char)tolower((unsigned char)*s);
    plain[n] = '\0';
}

static bool drop_2d(char *plain) {
    char *at = strstr(plain, "2d");
    if (!at) return false;
    memmove(at, at + 2, strlen(at + 2) + 1);
    return true;
}

/* The word in another spelling: one of the language, or a row of words.def. */
static const char *respelt(const char *plain) {
    Op op = standard_layer(plain);
    if (op != OP_COUNT) return layers[op].word;
    if (find_form(plain) >= 0) return forms[find_form(plain)].word;
    for (int i = 0; i < STATEMENT_WORDS; i++)
        if (strcmp(plain, statement_words[i]) == 0) return statement_words[i];
    return NULL;
}

/* The message about a word of words.def. */
static void say_row(const char *word, const char *otherwise, int row, Text *text) {
    if (foreign[row].kind == WORD_ABSENT)
        text_printf(text, "'%s' is not supported: %s", word, foreign[row].text);
    else if (foreign[row].kind == WORD_WRITE)
        text_printf(text, "%s '%s'; write %s", otherwise, word, foreign[row].text);
    else
        text_printf(text, "%s '%s'; did you mean '%s'?", otherwise, word, foreign[row].text);
}

const char *nearest_word(const char *word, const char *const *blocks, int nblocks) {
    const char *words[OP_COUNT + STATEMENT_WORDS + FOREIGN + FORMS];
    int count = 0;
    for (int op = 0; op < OP_COUNT; op++)
        if (layers[op].word[0] != '.') words[count++] = layers[op].word;
    for (int i = 0; i < STATEMENT_WORDS; i++) words[count++] = statement_words[i];
    for (int i = 0; i < FORMS; i++) words[count++] = forms[i].word;
    for (int i = 0; i < FOREIGN; i++)
        if (!foreign[i].attr && foreign[i].kind == WORD_SAME) words[count++] = foreign[i].word;
    const char *near = diag_suggest(word, words, count);
    for (int i = 0; i < nblocks; i++) {
        const char *two[2] = {near ? near : blocks[i], blocks[i]};
        near = diag_suggest(word, two, 2);
    }
    int row = near ? find_foreign(near, false) : -1;
    return row >= 0 && foreign[row].kind == WORD_SAME ? foreign[row].text : near;
}

void unknown_word(const char *word, const char *otherwise, const char *const *blocks, int nblocks, Text *text) {
    char plain[LONGEST + 1];
    const char *near = NULL;
    plain_word(word, plain);
    do {
        int row = find_foreign(plain, false);
        if (row >= 0) return say_row(word, otherwise, row, text);
        near = respelt(plain);
    } while (!near && drop_2d(plain));
    bool attr = !near && attr_is_keyed(word);
    if (!near) near = nearest_word(word, blocks, nblocks);
    text_printf(text, "%s '%s'", otherwise, word);
    if (attr)
        text_puts(text, "; an attribute stands on its layer's line, or on the next where that ends in a ','");
    else if (near)
        text_printf(text, "; did you mean '%s'?", near);
}

/* The one layer that has the attribute; NULL where none or several do. */
static const char *only_layer_with(const char *attr) {
    const char *found = NULL;
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = op_info((Op)op);
        OpAttr own;
        if (*info->word == '.' || !attr_find(info->attrs, attr, &own) || !own.info->keyed) continue;
        if (found) return NULL;
        found = info->word;
    }
    return found;
}

void unknown_attr(const char *word, const char *layer, const char *attrs, Text *text) {
    const char *words[MOST_ATTRS + 1];
    char plain[LONGEST + 1];
    LayerWord other;
    int count = 0;
    plain_word(word, plain);
    int row = find_foreign(plain, true);
    if (row >= 0 && foreign[row].kind == WORD_ABSENT) {
        text_printf(text, "%s: ", layer);
        return say_row(word, NULL, row, text);
    }
    text_printf(text, "%s has no attribute '%s'", layer, word);
    if (row >= 0 && foreign[row].kind == WORD_WRITE) return text_printf(text, "; write %s", foreign[row].text);
    if (layer_by_word(word, &other)) return text_puts(text, "; is a ';' missing before it?");
    OpAttr attr;
    for (const char *at = attrs; count < MOST_ATTRS && attr_next(&at, &attr);)
        if (attr.info->keyed) words[count++] = attr.info->word;
    if (strstr(attrs, "stride")) words[count++] = "stride";
    const char *near = attr_listed(attrs, plain);
    if (!near) near = diag_suggest(word, words, count);
    if (near && strcmp(near, "stride") == 0)
        text_puts(text, "; a stride is written with a slash, as in `3x3 /2`");
    else if (near)
        text_printf(text, "; did you mean '%s'?", near);
    else if (only_layer_with(word))
        text_printf(text, "; `%s` has it", only_layer_with(word));
}
