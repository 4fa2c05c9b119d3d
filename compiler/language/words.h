/* The words of the language, from ops.def and attrs.def, and those that people write for them, from words.def.
 *
 * A layer's word and its synonyms are read alike (silu is swish); forms of a layer have words of their own: `depthwise`
 * is a convolution with a group for each channel. Whoever writes a word that is none of these is told the nearest.
 */
#ifndef RNC_WORDS_H
#define RNC_WORDS_H

#include "base/base.h"
#include "graph/attrs.h"

typedef struct LayerWord { /* a word that begins a layer */
    Op op;
    const char *standard; /* what --format writes for it */
    const char *attrs;    /* the attributes it takes, as in ops.def */
} LayerWord;

extern const char input_attrs[], output_attrs[];

const char *layer_word(Op op);
/* Whether the word is no layer's own but a form of one: `depthwise` of a convolution, `pixelshuffle` of an interleave.
 */
bool word_is_form(const char *word);
/* What default names of such a layer begin with; form: NULL, or its word. */
const char *layer_name_word(Op op, const char *form);
/* The layer that a word begins, by a synonym too; false where no program can write it. */
bool layer_by_word(const char *word, LayerWord *layer);
bool attr_is_keyed(const char *word); /* a word that a statement may carry */
/* The standard word of an attribute among `attrs`; NULL where it is none of them. */
const char *attr_listed(const char *attrs, const char *word);

/* The message about a word that is no layer, statement or block: "OTHERWISE 'WORD'; did you mean 'conv'?", or what to
 * write instead, or "'WORD' is not supported: ...". `blocks`: the names of the source's own. */
void unknown_word(const char *word, const char *otherwise, const char *const *blocks, int nblocks, Text *text);
/* The layer's, statement's or block's word that a misspelt one may have meant; NULL where none is near. */
const char *nearest_word(const char *word, const char *const *blocks, int nblocks);
/* The message about a word that is none of the attributes `attrs` of a layer. */
void unknown_attr(const char *word, const char *layer, const char *attrs, Text *text);

#endif
