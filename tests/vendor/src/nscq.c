/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for libnvidia-nscq.so.2, as far as evidence is collected with it. What it answers is in libnvidia-nscq.conf beside the library:
 *
 *   switches=N       default 4            mode=N          pcie_mode of each; default 3: TNVL, locked
 *   evidence=DIR     DIR/switch-N.report, DIR/switch-N.chain
 *   create=CODE      nscq_session_create fails            observe=CODE    attestation_report fails
 *   hang=1           never returns from nscq_session_create               crash=1         SIGSEGV there */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef struct { uint8_t bytes[16]; } Uuid;
typedef struct { char data[64]; } Label;
typedef struct { uint32_t size; uint8_t report[0x2000]; } Report;
typedef struct { uint8_t chain[0x1400]; uint32_t size; } Certificate;
typedef struct { int8_t rc; void *session; } SessionResult;

static char config[4096];
static uint8_t nonce[32];
static bool has_nonce;
const char gn8v_lookalike_nscq[] = "libnvidia-nscq.so.2";

static void load(void) {
        char path[4096];
        Dl_info info;
        FILE *f;

        if (config[0] || !dladdr(gn8v_lookalike_nscq, &info) || !info.dli_fname || !strrchr(info.dli_fname, '/'))
                return;
        config[0] = '\n';
        snprintf(path, sizeof path, "%.*s/libnvidia-nscq.conf", (int) (strrchr(info.dli_fname, '/') - info.dli_fname), info.dli_fname);
        f = fopen(path, "re");
        if (f) {
                config[1 + fread(config + 1, 1, sizeof config - 2, f)] = '\0';
                fclose(f);
        }
}

static const char *text(const char *key, char buffer[512]) {
        char line[64];
        const char *p;

        load();
        snprintf(line, sizeof line, "\n%s=", key);
        p = strstr(config, line);
        if (!p)
                return NULL;
        p += strlen(line);
        snprintf(buffer, 512, "%.*s", (int) strcspn(p, "\n"), p);
        return buffer;
}

static long number(const char *key, long otherwise) {
        char buffer[512];
        const char *s = text(key, buffer);

        return s ? strtol(s, NULL, 0) : otherwise;
}

static uint32_t read_evidence(unsigned i, const char *kind, uint8_t *data, size_t size) {
        char dir[512], path[1024];
        FILE *f;
        size_t n;

        if (!text("evidence", dir))
                return 0;
        snprintf(path, sizeof path, "%s/switch-%u.%s", dir, i, kind);
        f = fopen(path, "re");
        n = f ? fread(data, 1, size, f) : 0;
        if (f)
                fclose(f);
        return (uint32_t) n;
}

EXPORT SessionResult nscq_session_create(uint32_t flags) {
        long rc = number("create", 0);

        if (number("crash", 0))
                raise(SIGSEGV);
        while (number("hang", 0))
                pause();
        return (SessionResult) { (int8_t) (flags == 1 ? rc : -5), config };
}

EXPORT void nscq_session_destroy(void *session) {
        (void) session;
}

EXPORT int8_t nscq_session_set_input(void *session, uint32_t flags, void *input, uint32_t size) {
        if (session != config || flags != 0 || size != sizeof nonce)
                return -5;
        memcpy(nonce, input, size);
        has_nonce = true;
        return 0;
}

EXPORT int8_t nscq_uuid_to_label(const Uuid *uuid, Label *label, uint32_t flags) {
        snprintf(label->data, sizeof label->data, "SWX-00000000-0000-0000-0000-%012x", uuid->bytes[15]);
        return flags == 0 ? 0 : -5;
}

EXPORT int8_t nscq_session_path_observe(void *session, const char *path, void (*callback)(void), void *userdata, uint32_t flags) {
        unsigned id, n = (unsigned) number("switches", 4);
        char rest[64];
        Uuid uuid = {};

        if (session != config || flags != 0)
                return -5;
        if (strcmp(path, "/drv/nvswitch/{device}/uuid") == 0 || strcmp(path, "/{nvswitch}/id/arch") == 0) {
                for (unsigned i = 0; i < n; i++) {
                        uuid.bytes[15] = (uint8_t) (i + 1);
                        if (path[1] == 'd')
                                ((void (*)(const Uuid *, int8_t, const Uuid *, void *)) callback)(&uuid, 0, &uuid, userdata);
                        else
                                ((void (*)(const Uuid *, int8_t, int8_t, void *)) callback)(&uuid, 0, 2, userdata);
                }
                return 0;
        }
        if (sscanf(path, "/SWX-00000000-0000-0000-0000-%12x/config/%63s", &id, rest) != 2 || id == 0 || id > n)
                return -2;
        uuid.bytes[15] = (uint8_t) id;
        if (strcmp(rest, "pcie_mode") == 0)
                ((void (*)(const Uuid *, int8_t, int8_t, void *)) callback)(&uuid, 0, (int8_t) number("mode", 3), userdata);
        else if (strcmp(rest, "certificate") == 0) {
                Certificate c = {};
                c.size = read_evidence(id - 1, "chain", c.chain, sizeof c.chain);
                ((void (*)(const Uuid *, int8_t, const Certificate, void *)) callback)(&uuid, 0, c, userdata);
        } else if (strcmp(rest, "attestation_report") == 0) {
                Report r = {};
                int8_t rc = (int8_t) number("observe", 0);
                r.size = read_evidence(id - 1, "report", r.report, sizeof r.report);
                if (rc == 0 && !has_nonce)
                        rc = -5;
                ((void (*)(const Uuid *, int8_t, const Report, void *)) callback)(&uuid, rc, r, userdata);
        } else
                return -1;
        return 0;
}
