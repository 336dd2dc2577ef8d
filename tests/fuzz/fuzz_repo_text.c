/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of a repository and of a workspace: metalink, mirror list, .repo file, a platform's list; and somebody else's repomd.xml. */
#include "basic/fs.h"
#include "release/repo-file.h"
#include "repo/metalink.h"
#include "repo/mirror-places.h"
#include "repo/platform.h"
#include "repo/rpmmd.h"

/* What a list names is read from nowhere else than from web servers. */
static void places(MirrorPlaceKind kind, const uint8_t *data, size_t size) {
        _cleanup_(mirror_places_clear) MirrorPlaces p = {};
        _cleanup_error_ Error e = ERROR_INIT;

        if (mirror_places_parse(kind, (const char *) data, size, "https://a.example/list", &p, &e) >= 0) {
                if (!p.urls || !p.urls[0] || strv_length(p.urls) > MIRROR_PLACES_MAX || !p.sha256 != (kind == MIRROR_AT_LIST))
                        abort();
                STRV_FOREACH(url, p.urls)
                        if (!startswith(*url, "https://") && (kind == MIRROR_AT_LIST || !startswith(*url, "http://")))
                                abort();
        } else if (!e.message)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size), *url = NULL, *moved = NULL, *moved_url = NULL;
        _cleanup_error_ Error e = ERROR_INIT;
        _cleanup_(platform_freep) Platform *p = NULL;
        _cleanup_(repomd_freep) Repomd *r = NULL;

        if (!text)
                return 0;
        places(MIRROR_AT_LIST, data, size);
        places(MIRROR_AT_METALINK, data, size);
        (void) metalink_check((const char *) data, size, "fuzz", "x", 1, &e);
        error_clear(&e);
        if (platform_parse("fuzz", text, &p, &e) < 0 && !e.message)
                abort();
        error_clear(&e);
        if (repomd_parse_foreign((const char *) data, size, "fuzz", &r, &e) >= 0)
                for (size_t i = 0; i < r->n_files; i++)
                        if (!path_is_safe(r->files[i].href) || !r->files[i].digest)
                                abort();
        error_clear(&e);
        url = repo_file_baseurl(text);
        if (repo_file_move(text, "fuzz", "https://b.example/r", &moved, &e) >= 0) {
                moved_url = repo_file_baseurl(moved);
                if (!url || !moved_url)
                        abort();
        }
        return 0;
}
