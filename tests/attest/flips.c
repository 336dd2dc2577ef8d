/* SPDX-License-Identifier: Apache-2.0 */
/* attest-flips rim FILE... | report CHAIN FILE...: each single bit of what is signed is flipped, every shorter length is taken, each is judged as the
 * program judges it, and not one may pass. All of them, on all processors, in memory. The file as it is must be right. 1: something passed. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "attest/rim.h"
#include "attest/verdict.h"
#include "basic/fs.h"
#include "basic/strings.h"

#define WORKERS_MAX 16
#define POOL_EVERY  2000 /* flips in certificates fill the pool */

typedef struct Subject {
        const char *path;
        char *data;
        size_t size;
        const char *chain;   /* of a report: PEM; NULL: it is a manifest */
        size_t chain_size;
        DeviceKind kind;
        CertPool *pool;
        CertChain *certs;
} Subject;

/* Shared by the workers. */
typedef struct Tally {
        size_t malformed, rejected, passed, first, cut;
} Tally;

static void die(const char *path, const char *why) {
        fprintf(stderr, "attest-flips: %s: %s\n", path, why);
        exit(2);
}

/* -EBADMSG: by its form; -EKEYREJECTED: by its signature; 0: it passes. */
static int judge(Subject *s, Error *e) {
        _cleanup_(report_freep) Report *report = NULL;
        _cleanup_(rim_freep) Rim *rim = NULL;
        int r;

        if (s->chain) {
                r = report_parse(s->path, s->kind, s->data, s->size, &report, e);
                return r < 0 ? r : cert_chain_check_signature(s->certs, report->covered, report->signature);
        }
        r = rim_parse(s->pool, s->path, s->data, s->size, &rim, e);
        return r < 0 ? r : rim_verify(rim, e);
}

static void open_subject(Subject *s, const char *path, const char *chain) {
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = NULL, *pem = NULL;
        size_t size = 0, pem_size = 0;
        DeviceIdentity identity;
        uint8_t *bytes;

        *s = (Subject) { .path = path, .pool = cert_pool_new() };
        if (read_file(AT_FDCWD, path, RIM_MAX, &text, &size) < 0)
                die(path, "cannot be read");
        s->data = TAKE_PTR(text);
        s->size = size;
        if (!chain)
                return;
        if (report_decode(path, s->data, s->size, &bytes, &s->size, &e) < 0)
                die(path, e.message);
        free(s->data);
        s->data = (char *) bytes;
        if (read_file(AT_FDCWD, chain, CHAIN_TEXT_MAX, &pem, &pem_size) < 0 || cert_chain_from_pem(s->pool, chain, pem, pem_size, &s->certs, &e) < 0 ||
            device_identity_read(s->certs, chain, &identity, &e) < 0)
                die(chain, e.message ? e.message : "cannot be read");
        s->chain = chain;
        s->kind = startswith(identity.hwmodel, "LS") ? DEVICE_SWITCH : DEVICE_GPU;
        device_identity_free(&identity);
}

/* Where bits are flipped: all of a report; of a manifest all but the certificates, which their own signatures protect. How many bits that are. */
static size_t choose(const Subject *s, bool *where) {
        const char *begin = s->chain ? NULL : memmem(s->data, s->size, "<ds:KeyInfo>", 12), *end = begin ? memmem(begin, s->size - (size_t) (begin - s->data), "</ds:KeyInfo>", 13) : NULL;
        size_t n = 0;

        for (size_t i = 0; i < s->size; i++)
                n += where[i] = !end || i < (size_t) (begin - s->data) || i >= (size_t) (end - s->data);
        return 8 * n;
}

static void flip_all(Subject *s, unsigned worker, unsigned workers, const bool *where, Tally *t) {
        size_t tried = 0;

        for (size_t bit = worker; bit < 8 * s->size; bit += workers) {
                _cleanup_error_ Error e = ERROR_INIT;
                char right = s->data[bit / 8];
                int r;

                if (!where[bit / 8])
                        continue;
                s->data[bit / 8] = (char) (right ^ 1 << bit % 8);
                r = judge(s, &e);
                s->data[bit / 8] = right;
                if (r == 0 && t->passed++ == 0)
                        t->first = bit;
                t->malformed += r == -EBADMSG;
                t->rejected += r == -EKEYREJECTED;
                if (!s->chain && ++tried % POOL_EVERY == 0) {
                        (void) cert_pool_free(s->pool);
                        s->pool = cert_pool_new();
                }
        }
}

/* In memory of just that size. How many passed. */
static size_t cut_all(Subject *s, unsigned worker, unsigned workers) {
        char *whole = s->data;
        size_t size = s->size, passed = 0, text = size;

        /* White space behind a manifest's last element is nothing that anybody signed. */
        while (!s->chain && text > 0 && whole[text - 1] != '>')
                text--;
        for (size_t n = worker; n < text; n += workers) {
                _cleanup_free_ char *part = malloc(n + 1);
                _cleanup_error_ Error e = ERROR_INIT;

                s->data = part ? memcpy(part, whole, n) : NULL;
                s->size = n;
                passed += !part || judge(s, &e) == 0;
        }
        s->data = whole;
        s->size = size;
        return passed;
}

static int run(const char *path, const char *chain) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        unsigned workers = (unsigned) MIN(MAX(cpus, 1L), (long) WORKERS_MAX);
        Tally *tallies = mmap(NULL, sizeof(Tally) * WORKERS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), sum = {};
        _cleanup_free_ bool *where = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        size_t bits;
        Subject s;

        open_subject(&s, path, chain);
        if (tallies == MAP_FAILED || !(where = malloc(s.size)))
                die(path, "out of memory");
        if (judge(&s, &e) != 0)
                die(path, e.message ? e.message : "its signature is wrong before anything was changed");
        bits = choose(&s, where);
        for (unsigned i = 0; i < workers; i++)
                if (fork() == 0) {
                        flip_all(&s, i, workers, where, &tallies[i]);
                        tallies[i].cut = cut_all(&s, i, workers);
                        _exit(0);
                }
        for (int status; wait(&status) > 0;)
                if (status != 0)
                        die(path, "a worker died");
        for (unsigned i = 0; i < workers; i++) {
                if (tallies[i].passed > 0)
                        printf("%s: bit %zu of byte %zu does not matter\n", path, tallies[i].first % 8, tallies[i].first / 8);
                sum.malformed += tallies[i].malformed;
                sum.rejected += tallies[i].rejected;
                sum.passed += tallies[i].passed;
                sum.cut += tallies[i].cut;
        }
        printf("%s: %zu bits: %zu malformed, %zu not what was signed, %zu accepted; %zu lengths, %zu accepted\n", path, bits, sum.malformed, sum.rejected,
               sum.passed, s.size, sum.cut);
        return sum.passed > 0 || sum.cut > 0 || sum.malformed + sum.rejected != bits || sum.rejected == 0;
}

int main(int argc, char *argv[]) {
        bool report = argc > 3 && streq(argv[1], "report");
        int r = 0;

        if (!report && (argc < 3 || !streq(argv[1], "rim"))) {
                fprintf(stderr, "attest-flips rim FILE... | report CHAIN FILE...\n");
                return 2;
        }
        rim_setup();
        setlinebuf(stdout);
        for (int i = report ? 3 : 2; i < argc; i++)
                r |= run(argv[i], report ? argv[2] : NULL);
        return r;
}
