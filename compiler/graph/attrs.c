#include "attrs.h"

#include <stdlib.h>
#include <string.h>

#include "ops.h"

const AttrInfo attr_table[] = {
#define ATTR(word, kind, limit, member) {#word, ATTR_##kind, limit, true, offsetof(Attr, member)},
#define WORD(word, kind, limit) {#word, ATTR_##kind, limit, true, ATTR_NO_MEMBER},
#define FIELD(word, kind, member) {#word, ATTR_##kind, 0, false, offsetof(Attr, member)},
#include "attrs.def"
#undef ATTR
#undef WORD
#undef FIELD
};
const int attr_count = sizeof attr_table / sizeof *attr_table;

static const AttrInfo *find(const char *word, size_t length) {
    for (int i = 0; i < attr_count; i++)
        if (strncmp(attr_table[i].word, word, length) == 0 && !attr_table[i].word[length]) return &attr_table[i];
    return NULL;
}

const AttrInfo *attr_info(const char *word) {
    return find(word, strlen(word));
}

bool attr_next(const char **at, OpAttr *attr) {
    const char *word = *at;
    while (*word) {
        const size_t length = strcspn(word, " ="), item = strcspn(word, " ");
        *at = word + item + strspn(word + item, " ");
        *attr = (OpAttr){.info = find(word, length)};
        if (attr->info) {
            const bool given = word[length] == '=';
            attr->needed = !given && attr->info->kind != ATTR_FLAG;
            attr->otherwise = given ? strtod(word + length + 1, NULL) : 0;
            return true;
        }
        word = *at;
    }
    return false;
}

bool attr_find(const char *attrs, const char *word, OpAttr *attr) {
    while (attr_next(&attrs, attr))
        if (strcmp(attr->info->word, word) == 0) return true;
    return false;
}

bool attr_is_kept(Op op, const AttrInfo *info) {
    const bool terms = op_info(op)->flags & OPF_TERMS;
    return info->offset != ATTR_NO_MEMBER && !(terms && info->offset == (int)offsetof(Attr, groups));
}

void attr_set_defaults(Op op, Attr *attr) {
    const char *at = op_info(op)->attrs;
    OpAttr next;
    while (attr_next(&at, &next)) {
        const AttrInfo *info = next.info;
        if (!attr_is_kept(op, info) || next.needed) continue;
        if (info->kind == ATTR_FLAG)
            *attr_flag_of(info, attr) = next.otherwise != 0;
        else if (info->kind == ATTR_INT || info->kind == ATTR_NAT)
            *attr_int_of(info, attr) = (int)next.otherwise;
        else
            *attr_real_of(info, attr) = next.otherwise;
    }
}
