/* Names of layers: torchvision's by default, so that its weight files load as they are.
 *
 * A use of a block opens a scope, "layer1.0."; within it conv and bn are numbered from 1, every other word from 2 on
 * (relu, relu2; relu6, relu6_2). Braces open none, unless `as` says so. A shortcut's body is "downsample", its layers
 * numbered from 0. A name given by `as` stands below its scope; one that starts with '/' stands alone.
 */
#include "elaborate.h"

#include <ctype.h>
#include <string.h>

Scope *scope_new(Elab *elab, const char *prefix) {
    Scope *scope = arena_alloc(elab->arena, sizeof *scope);
    scope->prefix = prefix;
    return scope;
}

bool name_is_computed(const Name *name) {
    for (const NamePart *part = name->parts; part; part = part->next)
        if (part->expr) return true;
    return false;
}

/* The name as text, without its scope; NULL after an error. */
static const char *name_text(Elab *elab, const Frame *frame, const Name *name) {
    Text text = {0};
    bool ok = true;
    for (const NamePart *part = name->parts; part; part = part->next) {
        int64_t number = 0;
        if (part->text)
            text_puts(&text, part->text);
        else if (eval_int(part->expr, frame->env, "a part of a name", 0, INT32_MAX, &number, elab->diag))
            text_printf(&text, "%lld", (long long)number);
        else
            ok = false;
    }
    const char *result = ok ? arena_strndup(elab->arena, text.s, text.size) : NULL;
    text_free(&text);
    if (result && strlen(result) > LIMIT_NAME) {
        diag_error(elab->diag, name->place, "this name is longer than %d characters", LIMIT_NAME);
        return NULL;
    }
    return result;
}

const char *name_given(Elab *elab, const Frame *frame, const Name *name) {
    const char *text = name_text(elab, frame, name);
    if (!text) return NULL;
    if (text[0] == '/') return text + 1;
    return arena_printf(elab->arena, "%s%s", frame->scope->prefix, text);
}

static int count_up(Elab *elab, Scope *scope, const char *word) {
    int *count = map_get(&scope->counters, word);
    if (!count) {
        count = arena_alloc(elab->arena, sizeof *count);
        map_put(&scope->counters, elab->arena, word, count);
    }
    return ++*count;
}

const char *name_numbered(Elab *elab, const Frame *frame, const char *word) {
    if (frame->sequence) return arena_printf(elab->arena, "%s%d", frame->sequence->prefix, frame->sequence->next++);
    return arena_printf(elab->arena, "%s%s%d", frame->scope->prefix, word, count_up(elab, frame->scope, word));
}

/* relu6 is the sixth relu and the first relu6: whoever comes second takes the next number. */
static bool is_anothers(const Elab *elab, const char *full, const char *bare, const char *word) {
    const LayerEntry *entry = map_get(&elab->layers, full);
    return entry && op_by_word(bare) != OP_COUNT && strcmp(op_info(entry->op)->word, word) != 0;
}

const char *name_default(Elab *elab, const Frame *frame, const char *word) {
    if (frame->sequence || strcmp(word, "conv") == 0 || strcmp(word, "bn") == 0)
        return name_numbered(elab, frame, word);
    const bool digit = isdigit((unsigned char)word[strlen(word) - 1]); /* relu6_2: relu62 would be another word */
    for (;;) {
        const int count = count_up(elab, frame->scope, word);
        const char *bare = count == 1 ? word : arena_printf(elab->arena, "%s%s%d", word, digit ? "_" : "", count);
        const char *full = arena_printf(elab->arena, "%s%s", frame->scope->prefix, bare);
        if (!is_anothers(elab, full, bare, word)) return full;
    }
}

Value *name_find(Elab *elab, const Frame *frame, const Name *name) {
    const char *text = name_text(elab, frame, name);
    if (!text) return NULL;
    if (strcmp(text, "input") == 0) return elab->input_failed ? NULL : elab->graph->input;
    size_t length = text[0] == '/' ? 0 : strlen(frame->scope->prefix);
    if (text[0] == '/') text++;
    for (;;) {
        const char *full = arena_printf(elab->arena, "%.*s%s", (int)length, frame->scope->prefix, text);
        const LayerEntry *entry = map_get(&elab->layers, full);
        if (entry) return entry->value;
        if (is_poisoned(elab, full)) return NULL;
        if (length == 0) break;
        for (length--; length > 0 && frame->scope->prefix[length - 1] != '.';) length--;
    }
    enum { MOST = 1000 };
    const char *names[MOST];
    int count = 0;
    for (int i = 0; i < elab->layers.count && count < MOST; i++) names[count++] = elab->layers.entries[i].key;
    const char *near = diag_suggest(text, names, count);
    diag_error(elab->diag, name->place,
               near ? "no layer before this is called '%s'; did you mean '%s'?" : "no layer before this is called '%s'",
               text, near);
    poison_name(elab, text); /* once */
    return NULL;
}
