/* SPDX-License-Identifier: Apache-2.0 */
/* What a file from elsewhere says it holds, and metadata of anybody: paths that are taken are safe, fragments lie inside the text. */
#include "basic/fs.h"
#include "repo/bundle.h"
#include "repo/rpmmd.h"

static void check_fragment(const char *text, size_t size, const XmlFragment *f) {
        if (f->text < text || f->size > size || f->text + f->size > text + size || strncmp(f->text, "<package", 8) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(bundle_manifest_freep) BundleManifest *m = NULL, *again = NULL;
        _cleanup_free_ XmlFragment *fragments = NULL;
        _cleanup_(primary_freep) Primary *p = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_free_ char *text = strndup((const char *) data, size), *json = NULL;
        XmlPackage *v;
        size_t n;

        if (!text)
                return 0;
        size = strlen(text);
        if (bundle_manifest_from_json(text, size, "fuzz", &m, &e) >= 0) {
                for (size_t i = 0; i < m->n_files; i++)
                        if (!path_is_safe(m->files[i].path))
                                abort();
                if (bundle_manifest_to_json(m, &json, &e) < 0 || bundle_manifest_from_json(json, strlen(json), "again", &again, &e) < 0)
                        abort();
        }
        if (primary_parse_foreign(text, size, "fuzz", &p, &fragments, &e) >= 0)
                for (size_t i = 0; i < p->n_packages; i++) {
                        check_fragment(text, size, &fragments[i]);
                        if (!path_is_safe(p->packages[i]->href))
                                abort();
                }
        if (xml_packages_parse(text, size, "fuzz", "filelists", &v, &n, &e) >= 0) {
                for (size_t i = 0; i < n; i++)
                        check_fragment(text, size, &v[i].fragment);
                xml_packages_free(v, n);
        }
        return 0;
}
