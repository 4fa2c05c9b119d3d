/* The attributes of layers (attrs.def): what the language reads, the graph's text prints and passes compare, by one
 * table. */
#ifndef RNC_ATTRS_H
#define RNC_ATTRS_H

#include "ir.h"

typedef enum AttrKind {
    ATTR_NONE,
    ATTR_FLAG,
    ATTR_INT,
    ATTR_NAT,
    ATTR_REAL,
    ATTR_POSITIVE,
    ATTR_FRACTION,
    ATTR_INTS,
    ATTR_ACT,
    ATTR_PAIR,
    ATTR_PADDING,
    ATTR_REALS
} AttrKind;

enum { ATTR_NO_MEMBER = -1 };

typedef struct AttrInfo {
    const char *word;
    AttrKind kind;
    int limit;
    bool keyed; /* a statement may carry it */
    int offset; /* of its member in Attr, or ATTR_NO_MEMBER */
} AttrInfo;

typedef struct OpAttr { /* an op's attribute */
    const AttrInfo *info;
    bool needed;      /* it has no default */
    double otherwise; /* its default; a flag's is 0 or 1 */
} OpAttr;

extern const AttrInfo attr_table[];
extern const int attr_count;

const AttrInfo *attr_info(const char *word); /* NULL where it is none */
/* The next attribute of a list as in ops.def, "size=5 alpha=1e-4 levels", from *at on; false at its end. Words that
 * are none are passed over: a stride is written with a slash. */
bool attr_next(const char **at, OpAttr *attr);
/* The attribute in such a list; false where it is not there. */
bool attr_find(const char *attrs, const char *word, OpAttr *attr);
/* Whether an op keeps an attribute of its row in Attr: a term has its own groups. */
bool attr_is_kept(Op op, const AttrInfo *info);
/* All that the op's row gives a default. */
void attr_set_defaults(Op op, Attr *attr);

/* The member of a node's or layer's attributes. */
static inline bool *attr_flag_of(const AttrInfo *info, Attr *attr) {
    return (bool *)((char *)attr + info->offset);
}
static inline int *attr_int_of(const AttrInfo *info, Attr *attr) {
    return (int *)((char *)attr + info->offset);
}
static inline double *attr_real_of(const AttrInfo *info, Attr *attr) {
    return (double *)((char *)attr + info->offset);
}
static inline IntList *attr_ints_of(const AttrInfo *info, Attr *attr) {
    return (IntList *)((char *)attr + info->offset);
}

#endif
