/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/digest.h"
#include "basic/fs.h"
#include "repo/obtain.h"
#include "repo/resolve.h"
#include "repo/workspace-lock.h"
#include "repo/rims-package.h"
#include "run.h"

#define DAY1 INT64_C(1000000000) /* 2001-09-09 */
#define DAY2 INT64_C(1100000000) /* 2004-11-09 */

static char *workspace;
static Store *store;
static Release *releases[2];
static Resolution resolved[2];

/* The shortest release that there can be: everything but the artifacts is the model's business, not ours. */
static const char head[] = "[Release]\nProfile=%s\nVersion=1.2.3\nDate=2026-01-02\nSummary=s\n"
                           "[Platform]\nRegion=r\nZone=z\nImage=i\nInstanceType=ecs.x\nMinimumKernel=1.2.3\nPackage=p\n"
                           "[Kernel]\nArgument=a=b\n[Persistenced]\nOptions=--user root\n"
                           "[Clients]\nUnit=a.service\n[Expect]\nGPUs=1\nNVSwitches=0\nMode=confidential-computing\nDevTools=off\n%s";

static void load(size_t i, const char *profile, const char *artifacts) {
        _cleanup_free_ char *text = format(head, profile, artifacts), *path = format("%s/%s-1.2.3.conf", workspace, profile);
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644), 0);
        releases[i] = release_free(releases[i]);
        ck_assert_msg(release_load(path, &releases[i], &e) == 0, "%s", e.message);
}

static void put(const char *name, const char *text) {
        _cleanup_free_ char *path = format("%s/%s", workspace, name);

        ck_assert_int_eq(write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644), 0);
}

static char *driver(const char *name, const char *file, const char *digest, const char *more) {
        return format("[Artifact %s]\nKind=driver\nVersion=1.2.3\nURL=file://%s/%s\nSHA256=%s\nLicence=x\nRedistributable=no\n%s", name,
                      workspace, file, digest, more);
}

static void setup(void) {
        ck_assert_int_eq(make_temp_dir("/tmp", "gn8v-lock", &workspace), 0);
        ck_assert_int_eq(store_open(workspace, true, &store, NULL), 0);
}

static void clear(void) {
        for (size_t i = 0; i < 2; i++)
                resolution_clear(&resolved[i]);
}

static void teardown(void) {
        clear();
        for (size_t i = 0; i < 2; i++)
                release_free(releases[i]);
        store = store_free(store);
        ck_assert_int_eq(remove_tree(AT_FDCWD, workspace), 0);
        free(workspace);
}

static int resolve(size_t n, bool refresh, int64_t now, Error *e) {
        clear();
        return resolve_releases(workspace, store, releases, n, refresh, now, NULL, NULL, resolved, e);
}

static char *lock_bytes(const char *profile) {
        _cleanup_free_ char *path = format("%s/locks/%s-1.2.3.lock", workspace, profile);
        char *text = NULL;

        return read_file(AT_FDCWD, path, 100000, &text, NULL) < 0 ? NULL : text;
}

START_TEST(pins_are_copied) {
        char hex[SHA256_HEX_SIZE];
        _cleanup_free_ char *a = NULL;
        _cleanup_(lock_freep) Lock *l = NULL;
        LockedArtifact *d;

        ck_assert_int_eq(sha256_buffer("x", 1, hex), 0);
        a = driver("driver", "nowhere", hex, "Size=1\n");
        load(0, "one", a);
        ck_assert_int_eq(resolve(1, false, DAY1, NULL), 0);
        ck_assert_int_eq(workspace_lock_load(workspace, releases[0], &l, NULL), 0);
        d = lock_find(l, "driver");
        ck_assert_str_eq(d->sha256, hex);
        ck_assert_uint_eq(d->size, 1);
        ck_assert(!d->first_use && !d->date);
        ck_assert(!store_has(store, hex));
}
END_TEST

START_TEST(first_use_stands) {
        _cleanup_free_ char *a = driver("driver", "file", "first-use", ""), *b = driver("driver", "file", "first-use", "Referer=h http://r/\n"),
                            *first = NULL, *again = NULL;
        char hex[SHA256_HEX_SIZE];

        put("file", "hello");
        load(0, "one", a);
        ck_assert_int_eq(resolve(1, false, DAY1, NULL), 0);
        ck_assert(resolved[0].changed);
        ck_assert_uint_eq(resolved[0].n_fetched, 1);
        first = lock_bytes("one");
        ck_assert_ptr_nonnull(strstr(first, "2001-09-09"));
        ck_assert_int_eq(sha256_buffer("hello", 5, hex), 0);
        ck_assert(store_has(store, hex));
        /* The vendor publishes anew: the lock stands, the same bytes. */
        put("file", "HELLO");
        ck_assert_int_eq(resolve(1, false, DAY2, NULL), 0);
        ck_assert(!resolved[0].changed);
        again = lock_bytes("one");
        ck_assert_str_eq(first, again);
        /* Nor does an edit elsewhere lose it. */
        load(0, "one", b);
        ck_assert_int_eq(resolve(1, false, DAY2, NULL), 0);
        ck_assert(resolved[0].changed);
        ck_assert_str_eq(lock_find(resolved[0].lock, "driver")->date, "2001-09-09");
        ck_assert_str_eq(lock_find(resolved[0].lock, "driver")->sha256, hex);
        /* On request the new file is taken, said and dated. */
        ck_assert_int_eq(resolve(1, true, DAY2, NULL), 0);
        ck_assert_str_eq(lock_find(resolved[0].lock, "driver")->date, "2004-11-09");
        ck_assert_uint_eq(strv_length(resolved[0].warnings), 1);
        ck_assert_ptr_nonnull(strstr(resolved[0].warnings[0], hex));
        /* And refreshing what has not changed keeps its day. */
        ck_assert_int_eq(resolve(1, true, DAY1, NULL), 0);
        ck_assert_str_eq(lock_find(resolved[0].lock, "driver")->date, "2004-11-09");
        ck_assert_ptr_null(resolved[0].warnings);
}
END_TEST

START_TEST(all_or_none) {
        _cleanup_free_ char *good = driver("driver", "file", "first-use", ""), *bad = driver("driver", "none", "first-use", "");
        _cleanup_free_ char *dir = format("%s/locks", workspace);
        _cleanup_error_ Error e = ERROR_INIT;

        put("file", "hello");
        load(0, "one", good);
        load(1, "two", bad);
        ck_assert_int_lt(resolve(2, false, DAY1, &e), 0);
        ck_assert_int_eq(e.code, EXIT_UNREACHABLE);
        ck_assert_ptr_nonnull(strstr(e.message, "two-1.2.3: driver: not fetched"));
        ck_assert_int_eq(access(dir, F_OK), -1);
}
END_TEST

START_TEST(same_file_is_fetched_once) {
        _cleanup_free_ char *a = driver("driver", "file", "first-use", ""), *b = driver("other", "file", "first-use", ""),
                            *c = driver("other", "file", "first-use", "Size=4\n");
        _cleanup_error_ Error e = ERROR_INIT;

        put("file", "hello");
        load(0, "one", a);
        load(1, "two", b);
        ck_assert_int_eq(resolve(2, false, DAY1, NULL), 0);
        ck_assert_str_eq(lock_find(resolved[0].lock, "driver")->sha256, lock_find(resolved[1].lock, "other")->sha256);
        ck_assert_uint_eq(lock_find(resolved[1].lock, "other")->size, 5);
        /* Each release's own words about it count. */
        load(1, "two", c);
        ck_assert_int_lt(resolve(2, true, DAY1, &e), 0);
        ck_assert_int_eq(e.code, EXIT_UNTRUSTED);
        ck_assert_ptr_nonnull(strstr(e.message, "two-1.2.3.conf"));
}
END_TEST

START_TEST(stale_and_missing) {
        _cleanup_free_ char *a = driver("driver", "file", "first-use", ""), *b = driver("driver", "file", "first-use", "# edited\n");
        _cleanup_error_ Error e = ERROR_INIT, e2 = ERROR_INIT, e3 = ERROR_INIT;
        Lock *l = NULL;

        put("file", "hello");
        load(0, "one", a);
        ck_assert_int_eq(workspace_lock_load(workspace, releases[0], &l, &e), -ENOENT);
        ck_assert_int_eq(e.code, EXIT_DIFFERS);
        ck_assert_ptr_nonnull(strstr(e.hint, "gn8v-tee-repo lock one-1.2.3"));
        ck_assert_int_eq(resolve(1, false, DAY1, NULL), 0);
        load(0, "one", b);
        ck_assert_int_eq(workspace_lock_load(workspace, releases[0], &l, &e2), -ESTALE);
        ck_assert_int_eq(e2.code, EXIT_DIFFERS);
        put("locks/one-1.2.3.lock", "{");
        ck_assert_int_eq(workspace_lock_load(workspace, releases[0], &l, &e3), -EBADMSG);
        ck_assert_int_eq(e3.code, EXIT_INVALID);
        /* It may hold the only digests there are: it is not overwritten. */
        ck_assert_int_eq(resolve(1, false, DAY1, NULL), -EBADMSG);
        ck_assert_ptr_null(l);
}
END_TEST

START_TEST(time_is_checked) {
        _cleanup_free_ char *a = driver("driver", "file", "first-use", "");
        _cleanup_error_ Error e = ERROR_INIT;

        put("file", "hello");
        load(0, "one", a);
        ck_assert_int_eq(resolve(1, false, _i == 0 ? INT64_MAX : INT64_C(999999999999), &e), -ERANGE);
}
END_TEST

START_TEST(signer_must_have_a_key) {
        static const Artifact a = { .name = (char *) "a", .signer = (char *) "F" };
        static const Release r = { .path = (char *) "r.conf" };
        _cleanup_error_ Error e = ERROR_INIT;

        ck_assert_ptr_null(release_signer_key(&r, &a, &e));
        ck_assert_int_eq(e.code, EXIT_INVALID);
        ck_assert_ptr_nonnull(strstr(e.message, "r.conf: [Artifact a] Signer=F"));
}
END_TEST

static Lock *lock_of(const char *id, const char *date, char digit) {
        _cleanup_free_ char *file = format("%s.xml", id);
        Lock *l = lock_new();
        LockedArtifact *a = lock_add(l, id), *other = lock_add(l, "driver");

        other->kind = strdup("driver");
        a->kind = strdup(LOCKED_RIM);
        a->filename = strdup(file);
        a->date = strdup(date);
        a->sha256 = calloc(1, SHA256_HEX_SIZE);
        memset(a->sha256, digit, SHA256_HEX_SIZE - 1);
        return l;
}

/* One package for all releases: each manifest once, of two what was locked last, in an order that is always the same. */
START_TEST(newest_manifest_is_packaged) {
        Lock *locks[] = { lock_of("NV_B", "2025-01-02", 'a'), NULL, lock_of("NV_A", "2025-01-02", 'b'), lock_of("NV_B", "2025-01-03", 'c'),
                          lock_of("NV_B", "2024-12-31", 'd'), lock_of("NV_A", "2025-01-02", 'e') };
        _cleanup_free_ const LockedArtifact **rims = NULL;
        _cleanup_(wrap_list_freep) WrapList *list = NULL;
        size_t n = 0;

        ck_assert_int_eq(rims_select((const Lock *const *) locks, ELEMENTSOF(locks), &rims, &n), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(rims[0]->name, "NV_A");
        ck_assert_int_eq(rims[0]->sha256[0], 'e');
        ck_assert_int_eq(rims[1]->sha256[0], 'c');
        ck_assert_int_eq(rims_describe(rims, n, &list, NULL), 0);
        ck_assert_uint_eq(list->n_files, 4);
        ck_assert_str_eq(list->files[3].path, "/usr/share/gn8v-tee/rims/NV_B.xml");
        for (size_t i = 0; i < ELEMENTSOF(locks); i++)
                (void) lock_free(locks[i]);
}
END_TEST

int main(void) {
        Suite *s = suite_create("resolve");
        TCase *t = tcase_create("resolve");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, pins_are_copied);
        tcase_add_test(t, first_use_stands);
        tcase_add_test(t, all_or_none);
        tcase_add_test(t, same_file_is_fetched_once);
        tcase_add_test(t, stale_and_missing);
        tcase_add_loop_test(t, time_is_checked, 0, 2);
        tcase_add_test(t, signer_must_have_a_key);
        tcase_add_test(t, newest_manifest_is_packaged);
        suite_add_tcase(s, t);
        return run_suite(s);
}
