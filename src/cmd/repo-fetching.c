/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/repo-fetching.h"

#include "basic/log.h"

int fetching_number(const char *value, unsigned max, unsigned *ret) {
        uint64_t n;

        if (option_number(value, 1, max, &n) != EXIT_OK)
                return EXIT_USAGE;
        *ret = (unsigned) n;
        return EXIT_OK;
}

int fetching_rim_url(const char *value, char ***urls) {
        if (!startswith(value, "http://") && !startswith(value, "https://"))
                return option_refuse("not an http or https URL");
        if (strv_length(*urls) >= 8)
                return option_refuse("too many servers");
        return strv_append(urls, value) < 0 ? EXIT_FAILED : EXIT_OK;
}

static void told(const FetchItem *item, void *userdata) {
        Progress *progress = userdata;

        if (progress->shown)
                progress_end(progress);
        log_info("%s: %s (%ju bytes) from %s", item->label, item->filename, (uintmax_t) item->ret_size, item->ret_url);
}

void fetching_begin(FetchOptions *options, Progress *progress, const Repo *repo) {
        progress_begin(progress, "fetching", 0, true);
        options->progress = repo->quiet ? NULL : progress;
        options->done = repo->quiet ? NULL : told;
        options->userdata = progress;
}
