/* SPDX-License-Identifier: Apache-2.0 */
#include "node/literals.h"

#include "basic/strings.h"

#define BYTES_MAX 60000u /* of all literals together: a state has 16 bits */

typedef struct State {
        uint16_t fallback; /* the longest proper suffix that is a state, too */
        uint16_t output;   /* 1 + the first literal that ends here; 0: none */
        uint16_t shorter;  /* the next state with an output among the fallbacks */
} State;

struct Literals {
        char **strings;
        size_t n, bytes;
        uint8_t class[256]; /* bytes that no literal has are class 0 */
        unsigned n_classes;
        uint16_t *next; /* [state * n_classes + class] */
        State *states;
        size_t n_states;
        uint16_t *same; /* 1 + the next literal that is the same string; 0: none */
};

Literals *literals_new(void) {
        return calloc(1, sizeof(Literals));
}

Literals *literals_free(Literals *l) {
        strv_free(l->strings);
        free(l->next);
        free(l->states);
        free(l->same);
        free(l);
        return NULL;
}

int literals_add(Literals *l, const char *s) {
        int r;

        if (!*s || strlen(s) > BYTES_MAX - l->bytes)
                return -E2BIG;
        r = strv_append(&l->strings, s);
        if (r < 0)
                return r;
        l->bytes += strlen(s);
        l->n++;
        return 0;
}

static void number_bytes(Literals *l) {
        l->n_classes = 1;
        STRV_FOREACH(s, l->strings)
                for (const char *p = *s; *p; p++)
                        if (l->class[(unsigned char) *p] == 0)
                                l->class[(unsigned char) *p] = (uint8_t) l->n_classes++;
}

static uint16_t *transition(const Literals *l, size_t state, char byte) {
        return &l->next[state * l->n_classes + l->class[(unsigned char) byte]];
}

static void insert(Literals *l, size_t number) {
        size_t state = 0;

        for (const char *p = l->strings[number]; *p; p++) {
                uint16_t *to = transition(l, state, *p);

                if (*to == 0)
                        *to = (uint16_t) l->n_states++;
                state = *to;
        }
        l->same[number] = l->states[state].output;
        l->states[state].output = (uint16_t) (number + 1);
}

/* Breadth first: a state's fallback is nearer to the root, and finished. */
static int link_states(Literals *l) {
        _cleanup_free_ uint16_t *queue = calloc(l->n_states, sizeof(uint16_t));
        size_t head = 0, tail = 0;

        if (!queue)
                return -ENOMEM;
        for (unsigned c = 1; c < l->n_classes; c++)
                if (l->next[c] != 0)
                        queue[tail++] = l->next[c];
        while (head < tail) {
                size_t state = queue[head++];
                const State *fallback = &l->states[l->states[state].fallback];

                l->states[state].shorter = fallback->output ? l->states[state].fallback : fallback->shorter;
                for (unsigned c = 1; c < l->n_classes; c++) {
                        uint16_t *to = &l->next[state * l->n_classes + c];
                        uint16_t other = l->next[(size_t) l->states[state].fallback * l->n_classes + c];

                        if (*to == 0)
                                *to = other;
                        else {
                                l->states[*to].fallback = other;
                                queue[tail++] = *to;
                        }
                }
        }
        return 0;
}

int literals_finish(Literals *l) {
        number_bytes(l);
        l->next = calloc((l->bytes + 1) * l->n_classes, sizeof(uint16_t));
        l->states = calloc(l->bytes + 1, sizeof(State));
        l->same = calloc(l->n + 1, sizeof(uint16_t));
        if (!l->next || !l->states || !l->same)
                return -ENOMEM;
        l->n_states = 1;
        for (size_t i = 0; i < l->n; i++)
                insert(l, i);
        return link_states(l);
}

bool literals_scan(const Literals *l, const char *text, size_t size, bool *hits) {
        size_t state = 0;
        bool any = false;

        for (size_t i = 0; i < size; i++) {
                state = *transition(l, state, text[i]);
                if (l->states[state].output == 0 && l->states[state].shorter == 0)
                        continue;
                for (size_t s = state; s != 0; s = l->states[s].shorter)
                        for (unsigned number = l->states[s].output; number != 0; number = l->same[number - 1])
                                any = hits[number - 1] = true;
        }
        return any;
}
