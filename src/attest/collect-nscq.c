/* SPDX-License-Identifier: Apache-2.0 */
/* The child that asks NSCQ: each switch's mode, certificates and report. */
#include "attest/collect.h"
#include "attest/nscq-api.h"
#include "basic/strings.h"

#define SYMBOL(c, name) library_symbol(&(c)->child, (const char *const[]){ name, NULL })

typedef struct Nscq {
        CollectChild *child;
        NscqSession session;
        NscqCode (*observe)(NscqSession, const char *, NscqCallback, void *, uint32_t);
        NscqCode (*set_input)(NscqSession, uint32_t, void *, uint32_t);
        NscqCode (*to_label)(const NscqUuid *, NscqLabel *, uint32_t);
        char **labels;
        NscqCode code; /* of the last callback; an error until there was one */
        int arch;
} Nscq;

#define NO_VALUE ((NscqCode) -128)

static const char *words(NscqCode code) {
        switch (code) {
        case 0: return "Success";
        case -1: return "Not implemented";
        case -2: return "Invalid UUID";
        case -3: return "Resource not mountable";
        case -4: return "Overflow";
        case -5: return "Unexpected value";
        case -6: return "Unsupported driver";
        case -7: return "Driver error";
        case -8: return "Timeout";
        case -127: return "External error";
        default: return "Unspecified error";
        }
}

static void on_uuid(const NscqUuid *device, NscqCode code, const NscqUuid *uuid, void *userdata) {
        Nscq *q = userdata;
        NscqLabel label = {};

        q->code = code;
        if (code < 0 || !uuid)
                return;
        q->code = q->to_label(uuid, &label, 0);
        label.data[sizeof label.data - 1] = '\0';
        /* It becomes part of a path. */
        if (q->code >= 0 && *label.data && strspn(label.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == strlen(label.data) &&
            strv_length(q->labels) < COLLECT_DEVICES_MAX && strv_append(&q->labels, label.data) < 0)
                _exit(1);
}

static void on_arch(const NscqUuid *device, NscqCode code, int8_t arch, void *userdata) {
        Nscq *q = userdata;

        q->code = code;
        if (code >= 0)
                q->arch = arch;
}

static void on_mode(const NscqUuid *device, NscqCode code, int8_t mode, void *userdata) {
        Nscq *q = userdata;

        q->code = code;
        if (code >= 0 && mode >= 0)
                library_say(&q->child->child, "mode %d\n", mode);
}

static void on_chain(const NscqUuid *device, NscqCode code, const NscqCertificate certificate, void *userdata) {
        Nscq *q = userdata;

        q->code = code >= 0 && (certificate.size == 0 || certificate.size > sizeof certificate.chain) ? NO_VALUE : code;
        if (q->code >= 0)
                collect_say_bytes(q->child, "chain", certificate.chain, strnlen((const char *) certificate.chain, certificate.size));
}

static void on_report(const NscqUuid *device, NscqCode code, const NscqReport report, void *userdata) {
        Nscq *q = userdata;

        q->code = code >= 0 && (report.size == 0 || report.size > sizeof report.report) ? NO_VALUE : code;
        if (q->code >= 0)
                collect_say_bytes(q->child, "report", report.report, report.size);
}

/* Asks for one path: the worse of what the call and the callback say. */
static NscqCode observe(Nscq *q, const char *path, NscqCallback callback) {
        NscqCode code;

        library_say(&q->child->child, "at nscq_session_path_observe %s\n", path);
        q->code = NO_VALUE;
        code = q->observe(q->session, path, callback, q, 0);
        return code < 0 ? code : q->code;
}

static void ask(Nscq *q, const char *pattern, const char *label, const char *what, NscqCallback callback) {
        _cleanup_text_ Text path = {};
        const char *hole = strstr(pattern, "%s");
        NscqCode code;

        text_append_n(&path, pattern, (size_t) (hole - pattern));
        text_append(&path, label);
        text_append(&path, hole + 2);
        if (path.failed)
                _exit(1);
        code = observe(q, path.data, callback);
        if (code < 0)
                library_say(&q->child->child, "failed %s: %s (%d)\n", what, words(code), code);
}

static int stopped(CollectChild *c, const char *call, NscqCode code) {
        library_say(&c->child, "stopped %s: %s (%d)\nend\n", call, words(code), code);
        return 0;
}

static void ask_switch(Nscq *q, const char *label, size_t i) {
        uint8_t nonce[NONCE_SIZE];
        NscqCode code;

        library_say(&q->child->child, "device %zu\nuuid %s\n", i, label);
        if (q->arch == NSCQ_ARCH_LS10)
                library_say(&q->child->child, "arch LS10\n");
        ask(q, NSCQ_PATH_MODE, label, "pcie_mode", (NscqCallback) on_mode);
        ask(q, NSCQ_PATH_CHAIN, label, "certificate", (NscqCallback) on_chain);
        memcpy(nonce, q->child->nonce, sizeof nonce);
        library_say(&q->child->child, "at nscq_session_set_input\n");
        code = q->set_input(q->session, 0, nonce, sizeof nonce);
        if (code < 0)
                library_say(&q->child->child, "failed nscq_session_set_input: %s (%d)\n", words(code), code);
        else
                ask(q, NSCQ_PATH_REPORT, label, "attestation_report", (NscqCallback) on_report);
}

int collect_switches(CollectChild *c) {
        static const char *const names[] = { "libnvidia-nscq.so.2", "libnvidia-nscq.so.1", "libnvidia-nscq.so", NULL };
        NscqSessionResult (*create)(uint32_t), result;
        void (*destroy)(NscqSession);
        Nscq q = { .child = c, .arch = -1 };
        NscqCode code;

        if (!library_load(&c->child, names))
                return 0;
        q.observe = SYMBOL(c, "nscq_session_path_observe");
        q.set_input = SYMBOL(c, "nscq_session_set_input");
        q.to_label = SYMBOL(c, "nscq_uuid_to_label");
        destroy = SYMBOL(c, "nscq_session_destroy");
        create = SYMBOL(c, "nscq_session_create");
        if (!q.observe || !q.set_input || !q.to_label || !destroy || !create)
                return stopped(c, "dlsym", -1);
        result = create(NSCQ_MOUNT_DEVICES);
        if (result.code < 0)
                return stopped(c, "nscq_session_create", result.code);
        q.session = result.session;
        code = observe(&q, NSCQ_PATH_UUIDS, (NscqCallback) on_uuid);
        if (code < 0 && code != NO_VALUE)
                return stopped(c, "nscq_session_path_observe", code);
        (void) observe(&q, NSCQ_PATH_ARCH, (NscqCallback) on_arch);
        library_say(&c->child, "count %zu\n", strv_length(q.labels));
        for (size_t i = 0; q.labels && q.labels[i]; i++)
                ask_switch(&q, q.labels[i], i);
        library_say(&c->child, "at nscq_session_destroy\n");
        destroy(q.session);
        (void) strv_free(q.labels);
        library_say(&c->child, "end\n");
        return 0;
}
