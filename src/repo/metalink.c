/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/metalink.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "basic/fs.h"
#include "basic/strings.h"
#include "repo/repo-file.h"
#include "repo/seal.h"
#include "repo/xml.h"

#define METALINK_MAX (1024 * 1024)
#define REPOMD_MAX (4u * 1024 * 1024)

/* RFC 822, as that format has it; without the locale's names. */
static char *date(int64_t seconds) {
        static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
        static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        time_t t = (time_t) seconds;
        struct tm tm;

        if (!gmtime_r(&t, &tm))
                return strdup("Thu, 01 Jan 1970 00:00:00 GMT");
        return format("%s, %02d %s %d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void append_escaped(Text *t, const char *s) {
        for (; *s; s++)
                switch (*s) {
                case '&': text_append(t, "&amp;"); break;
                case '<': text_append(t, "&lt;"); break;
                case '>': text_append(t, "&gt;"); break;
                default: text_append_n(t, s, 1);
                }
}

static int append_url(Text *t, const char *url, unsigned preference, Error *e) {
        size_t protocol = strcspn(url, ":"), n = strlen(url);
        _cleanup_free_ char *base = NULL;
        int r = repo_url_check("mirror URL", url, e);

        if (r < 0)
                return r;
        while (n > 0 && url[n - 1] == '/')
                n--;
        if (!(base = strndup(url, n)))
                return error_oom(e);
        text_printf(t, "    <url protocol=\"%.*s\" type=\"%.*s\" preference=\"%u\">", (int) protocol, url, (int) protocol, url, preference);
        append_escaped(t, base);
        text_append(t, "/repodata/repomd.xml</url>\n");
        return 0;
}

int metalink_render(const char *repomd, size_t size, int64_t timestamp, char *const *urls, char **ret, Error *e) {
        _cleanup_free_ char *published = date(timestamp);
        char sha256[SHA256_HEX_SIZE];
        _cleanup_text_ Text t = {};
        unsigned preference = 100;
        int r;

        if (!published || sha256_buffer(repomd, size, sha256) < 0)
                return error_oom(e);
        text_printf(&t, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\" type=\"dynamic\" pubdate=\"%s\" "
                        "generator=\"gn8v-tee-repo\" xmlns:mm0=\"http://fedorahosted.org/mirrormanager\">\n <files>\n  <file name=\"repomd.xml\">\n"
                        "   <mm0:timestamp>%" PRIi64 "</mm0:timestamp>\n   <size>%zu</size>\n   <verification>\n    <hash type=\"sha256\">%s</hash>\n"
                        "   </verification>\n   <resources maxconnections=\"1\">\n", published, timestamp, size, sha256);
        STRV_FOREACH(url, urls) {
                if ((r = append_url(&t, *url, preference, e)) < 0)
                        return r;
                preference = MAX(preference - 1, 1u);
        }
        text_append(&t, "   </resources>\n  </file>\n </files>\n</metalink>\n");
        *ret = text_take(&t);
        return *ret ? 0 : error_oom(e);
}

/* What append_url() wrote: one on each line. */
static int take_url(const char *line, size_t n, char ***urls) {
        static const struct { const char *entity; char c; } entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' } };
        const char *p = memmem(line, n, "<url ", strlen("<url ")), *end = memmem(line, n, "/repodata/repomd.xml</url>", strlen("/repodata/repomd.xml</url>"));
        _cleanup_free_ char *url = NULL;
        char *to;

        if (!p || !end || !(p = memchr(p, '>', (size_t) (end - p))))
                return 0;
        if (!(url = to = malloc((size_t) (end - p))))
                return -ENOMEM;
        while (++p < end) {
                *to = *p;
                for (size_t i = 0; i < ELEMENTSOF(entities); i++)
                        if (startswith(p, entities[i].entity)) {
                                *to = entities[i].c;
                                p += strlen(entities[i].entity) - 1;
                                break;
                        }
                to++;
        }
        *to = '\0';
        return strv_append(urls, url);
}

int metalink_urls(Repository *r, char ***ret, Error *e) {
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_ char **urls = NULL;
        int k = read_file(r->fd, "repodata/" METALINK_FILE, METALINK_MAX, &text, NULL);

        if (k < 0 && k != -ENOENT)
                return error_errno(e, -k, "%s/repodata/" METALINK_FILE, r->path);
        for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n')
                if (take_url(p, strcspn(p, "\n"), &urls) < 0)
                        return error_oom(e);
        repository_watch_readers(r); /* that was no client */
        *ret = TAKE_PTR(urls);
        return 0;
}

int metalink_stage(Repository *r, const char *repomd, int64_t timestamp, char *const *urls, Error *e) {
        _cleanup_strv_ char **published = NULL;
        _cleanup_free_ char *text = NULL;
        int k;

        if (!urls) {
                if ((k = metalink_urls(r, &published, e)) < 0)
                        return k;
                urls = published;
        }
        if (strv_length(urls) == 0)
                return 0;
        if ((k = metalink_render(repomd, strlen(repomd), timestamp, urls, &text, e)) < 0)
                return k;
        k = write_file_new(r->stage_fd, "repodata/" METALINK_FILE, text, strlen(text), 0644);
        return k < 0 ? error_errno(e, -k, "%s/" STAGE "/repodata/" METALINK_FILE, r->path) : 0;
}

int metalink_refresh(Repository *r, int64_t timestamp, char *const *urls, Error *e) {
        _cleanup_free_ char *repomd = NULL, *text = NULL;
        int k;

        if (!urls)
                return 0;
        if (strv_length(urls) == 0)
                return seal_top(r, "repodata/" METALINK_FILE, NULL, e);
        if ((k = read_file(r->fd, "repodata/repomd.xml", REPOMD_MAX, &repomd, NULL)) < 0)
                return error_errno(e, -k, "%s/repodata/repomd.xml", r->path);
        k = metalink_render(repomd, strlen(repomd), timestamp, urls, &text, e);
        return k < 0 ? k : seal_top(r, "repodata/" METALINK_FILE, text, e);
}

typedef struct MetalinkCheck {
        Xml xml;
        char sha256[SHA256_HEX_SIZE];
        size_t size;
        unsigned files, sizes, hashes, urls;
} MetalinkCheck;

static int differs(MetalinkCheck *c, const char *what) {
        return error_hint(c->xml.e, error_set(c->xml.e, EKEYREJECTED, EXIT_UNTRUSTED, "%s: %s", c->xml.name, what),
                          "publish again with --mirror-url, or remove it: clients would skip, or take, the wrong mirrors");
}

static int check_hash(MetalinkCheck *c) {
        _cleanup_free_ char *type = NULL, *hash = NULL;
        int r;

        if ((r = xml_take_attribute(&c->xml, "type", &type, "a digest without a type")) < 0 || (r = xml_take_text(&c->xml, &hash, "a digest without digits")) < 0)
                return r;
        c->hashes++;
        return !streq(type, "sha256") ? differs(c, "a digest that is not SHA-256 protects nothing") :
               streq(hash, c->sha256) ? 0 : differs(c, "its SHA-256 is not the one of repomd.xml");
}

static int check_url(MetalinkCheck *c) {
        _cleanup_free_ char *url = NULL;
        int r = xml_take_text(&c->xml, &url, "a place without a URL");

        if (r < 0)
                return r;
        c->urls++;
        if ((r = repo_url_check(c->xml.name, url, c->xml.e)) < 0) {
                c->xml.e->code = EXIT_INVALID;
                return r;
        }
        return endswith(url, "/repodata/repomd.xml") ? 0 : differs(c, "one of its places is not that of a repomd.xml");
}

static int check_element(MetalinkCheck *c, const char *element) {
        _cleanup_free_ char *name = NULL;
        uint64_t size = 0;
        int r;

        if (streq(element, "file")) {
                c->files++;
                r = xml_take_attribute(&c->xml, "name", &name, "a file without a name");
                return r < 0 ? r : streq(name, "repomd.xml") ? 0 : differs(c, "it is about another file than repomd.xml");
        }
        if (streq(element, "size")) {
                c->sizes++;
                r = xml_take_number(&c->xml, NULL, &size, "a size is not a number");
                return r < 0 ? r : size == c->size ? 0 : differs(c, "its size is not the one of repomd.xml");
        }
        if (streq(element, "alternates"))
                return differs(c, "it lets clients take older states (alternates)");
        return streq(element, "hash") ? check_hash(c) : streq(element, "url") ? check_url(c) : 0;
}

int metalink_check(const char *text, size_t size, const char *name, const char *repomd, size_t repomd_size, Error *e) {
        MetalinkCheck c = { .size = repomd_size };
        int r;

        if (sha256_buffer(repomd, repomd_size, c.sha256) < 0)
                return error_oom(e);
        if ((r = xml_open(&c.xml, text, size, name, e)) < 0)
                return r;
        while ((r = xml_next(&c.xml)) > 0 && (r = check_element(&c, xml_element(&c.xml))) >= 0)
                ;
        if (r == 0 && (c.files != 1 || c.sizes != 1 || c.hashes == 0 || c.urls == 0))
                r = xml_bad(&c.xml, "not one file with size, SHA-256 and a place");
        xml_done(&c.xml);
        return r;
}
