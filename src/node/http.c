/* SPDX-License-Identifier: Apache-2.0 */
#include "node/http.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include "basic/strings.h"

void http_answer_free(HttpAnswer *a) {
        free(a->body);
        *a = (HttpAnswer){};
}

/* A piece of received bytes; no byte of it need be text. */
typedef struct Span {
        const char *data;
        size_t size;
} Span;

/* Cuts the line at the front, without its end; false: it is not whole yet. */
static bool take_line(Span *rest, Span *ret) {
        const char *end = memchr(rest->data, '\n', rest->size);

        if (!end)
                return false;
        *ret = (Span){ rest->data, (size_t) (end - rest->data) };
        if (ret->size > 0 && ret->data[ret->size - 1] == '\r')
                ret->size--;
        rest->size -= (size_t) (end + 1 - rest->data);
        rest->data = end + 1;
        return true;
}

static int parse_status_line(Span line, unsigned *ret) {
        const char *p = line.data;

        if (line.size < strlen("HTTP/1.1 200") || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
                return -EBADMSG;
        *ret = 0;
        for (size_t i = 9; i < 12; i++) {
                if (p[i] < '0' || p[i] > '9')
                        return -EBADMSG;
                *ret = *ret * 10 + (unsigned) (p[i] - '0');
        }
        if ((line.size > 12 && p[12] != ' ') || *ret < 100 || *ret > 599)
                return -EBADMSG;
        return 0;
}

static bool same_word(Span s, const char *word) {
        return s.size == strlen(word) && strncasecmp(s.data, word, s.size) == 0;
}

static int parse_number(Span s, unsigned base, size_t *ret) {
        size_t value = 0;

        if (s.size == 0)
                return -EBADMSG;
        for (size_t i = 0; i < s.size; i++) {
                const char c = s.data[i];
                const unsigned digit = c >= '0' && c <= '9' ? (unsigned) (c - '0') : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (unsigned) ((c | 0x20) - 'a') + 10 : 99;

                if (digit >= base)
                        return -EBADMSG;
                if (value > HTTP_ANSWER_MAX)
                        return -EFBIG;
                value = value * base + digit;
        }
        *ret = value;
        return 0;
}

typedef struct Framing {
        bool sized, chunked;
        size_t length;
} Framing;

static int parse_field(Span line, Framing *f) {
        const char *colon = memchr(line.data, ':', line.size);
        Span name, value;
        int r;

        if (!colon || colon == line.data)
                return -EBADMSG;
        name = (Span){ line.data, (size_t) (colon - line.data) };
        value = (Span){ colon + 1, line.size - name.size - 1 };
        while (value.size > 0 && strchr(" \t", value.data[0]) && value.data[0])
                value.data++, value.size--;
        while (value.size > 0 && strchr(" \t", value.data[value.size - 1]) && value.data[value.size - 1])
                value.size--;
        if (same_word(name, "Content-Length")) {
                size_t length;

                r = parse_number(value, 10, &length);
                if (r < 0)
                        return r;
                if (f->sized && f->length != length)
                        return -EBADMSG;
                f->sized = true;
                f->length = length;
        } else if (same_word(name, "Transfer-Encoding")) {
                if (!same_word(value, "chunked"))
                        return -EBADMSG;
                f->chunked = true;
        }
        return 0;
}

/* Chunks (RFC 9112, 7.1), their sizes in hexadecimal; what may follow a size, and the trailer, are read over. */
static int parse_chunks(Span rest, Text *body) {
        for (;;) {
                const char *semicolon;
                Span line;
                size_t size;
                int r;

                if (!take_line(&rest, &line))
                        return 0;
                semicolon = memchr(line.data, ';', line.size);
                if (semicolon)
                        line.size = (size_t) (semicolon - line.data);
                while (line.size > 0 && (line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t'))
                        line.size--;
                r = parse_number(line, 16, &size);
                if (r < 0)
                        return r;
                if (size == 0)
                        break;
                if (size > HTTP_ANSWER_MAX)
                        return -EFBIG;
                if (rest.size < size)
                        return 0;
                text_append_n(body, rest.data, size);
                rest.data += size;
                rest.size -= size;
                if (!take_line(&rest, &line))
                        return 0;
                if (line.size != 0)
                        return -EBADMSG;
        }
        for (Span line; take_line(&rest, &line);)
                if (line.size == 0)
                        return 1;
        return 0;
}

static int parse_body(Span rest, bool ended, unsigned status, const Framing *f, Text *body) {
        if (status == 204 || status == 304)
                return 1;
        if (f->chunked)
                return parse_chunks(rest, body);
        if (f->sized && f->length > HTTP_ANSWER_MAX)
                return -EFBIG;
        if (f->sized ? rest.size < f->length : !ended)
                return 0;
        text_append_n(body, rest.data, f->sized ? f->length : rest.size);
        return 1;
}

/* Status line and fields: 1, or 0 when they are not whole, or -errno. */
static int parse_head(Span *rest, unsigned *ret_status, Framing *ret) {
        Framing f = {};
        Span line;
        int r;

        if (!take_line(rest, &line))
                return 0;
        r = parse_status_line(line, ret_status);
        while (r >= 0) {
                if (!take_line(rest, &line))
                        return 0;
                if (line.size == 0) {
                        *ret = f;
                        return 1;
                }
                r = parse_field(line, &f);
        }
        return r;
}

int http_parse(const char *data, size_t size, bool ended, HttpAnswer *ret) {
        Span rest = { data, size };
        _cleanup_text_ Text body = {};
        Framing framing = {};
        unsigned status = 0;
        int r;

        do /* interim answers come before the real one */
                r = parse_head(&rest, &status, &framing);
        while (r > 0 && status < 200);
        if (r > 0)
                r = parse_body(rest, ended, status, &framing, &body);
        if (r <= 0)
                return r == 0 && ended ? -EBADMSG : r;
        ret->size = body.size;
        ret->body = text_take(&body);
        ret->status = status;
        return ret->body ? 1 : -ENOMEM;
}

typedef struct Base {
        char *host, *port;
        const char *path; /* of the text it was cut from, without a slash at its end */
        size_t path_size;
} Base;

static void base_free(Base *b) {
        free(b->host);
        free(b->port);
}

static int parse_base(const char *text, Base *ret) {
        const char *p = startswith(text, "http://"), *host, *end;
        size_t port_size = 0;
        bool has_port;

        if (!p)
                return -EINVAL;
        if (*p == '[') {
                host = p + 1;
                end = strchr(host, ']');
                if (!end)
                        return -EINVAL;
                p = end + 1;
        } else {
                host = p;
                end = p = host + strcspn(host, ":/");
        }
        has_port = *p == ':';
        if (has_port)
                port_size = strcspn(++p, "/");
        if (end == host || (has_port ? port_size == 0 : *p && *p != '/') || strspn(p, "0123456789") < port_size)
                return -EINVAL;
        ret->host = strndup(host, (size_t) (end - host));
        ret->port = port_size > 0 ? strndup(p, port_size) : strdup("80");
        ret->path = p + port_size;
        ret->path_size = strlen(ret->path);
        while (ret->path_size > 0 && ret->path[ret->path_size - 1] == '/')
                ret->path_size--;
        for (size_t i = 0; i < ret->path_size; i++)
                if (ret->path[i] <= ' ' || ret->path[i] >= 0x7f)
                        return -EINVAL;
        return ret->host && ret->port ? 0 : -ENOMEM;
}

static int wait_for(int fd, short events, int64_t deadline) {
        for (;;) {
                struct pollfd p = { .fd = fd, .events = events };
                const int64_t left = deadline - clock_ms();
                int k;

                if (left <= 0)
                        return -ETIMEDOUT;
                k = poll(&p, 1, (int) MIN(left, (int64_t) 60000));
                if (k > 0)
                        return 0;
                if (k < 0 && errno != EINTR)
                        return -errno;
        }
}

static int connect_to(const Base *b, int64_t deadline) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
        struct addrinfo *address = NULL;
        _cleanup_close_ int fd = -1;
        int r, failed = 0;
        socklen_t size = sizeof failed;

        if (getaddrinfo(b->host, b->port, &hints, &address) != 0)
                return -EINVAL;
        fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        r = fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? -errno : 0;
        freeaddrinfo(address);
        if (r == -EINPROGRESS) {
                r = wait_for(fd, POLLOUT, deadline);
                if (r >= 0)
                        r = getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0 ? -errno : -failed;
        }
        return r < 0 ? r : TAKE_FD(fd);
}

static int send_all(int fd, const char *data, size_t size, int64_t deadline) {
        while (size > 0) {
                ssize_t k = send(fd, data, size, MSG_NOSIGNAL);
                int r;

                if (k >= 0) {
                        data += k;
                        size -= (size_t) k;
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = wait_for(fd, POLLOUT, deadline);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int receive(int fd, int64_t deadline, HttpAnswer *ret) {
        _cleanup_text_ Text t = {};

        for (;;) {
                char buffer[4096];
                ssize_t k = recv(fd, buffer, sizeof buffer, 0);
                int r;

                if (k < 0 && errno == EAGAIN) {
                        r = wait_for(fd, POLLIN, deadline);
                        if (r < 0)
                                return r == -ETIMEDOUT ? -ETIME : r;
                        continue;
                }
                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                text_append_n(&t, buffer, (size_t) k);
                if (t.failed)
                        return -ENOMEM;
                r = http_parse(t.data ? t.data : "", t.size, k == 0, ret);
                if (r != 0)
                        return r < 0 ? r : 0;
                if (t.size > HTTP_ANSWER_MAX)
                        return -EFBIG;
                /* A server that sends without a pause must not outrun the clock. */
                if (clock_ms() >= deadline)
                        return -ETIME;
        }
}

int http_request(const char *base, const char *method, const char *path, const char *const *fields, int64_t deadline, HttpAnswer *ret) {
        _cleanup_(base_free) Base b = {};
        _cleanup_free_ char *request = NULL;
        _cleanup_close_ int fd = -1;
        _cleanup_text_ Text t = {};
        int r;

        r = parse_base(base, &b);
        if (r < 0)
                return r;
        text_printf(&t, "%s %.*s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAccept: */*\r\nUser-Agent: gn8v-tee\r\n", method, (int) b.path_size, b.path,
                    path, b.host);
        for (size_t i = 0; fields && fields[i]; i++) {
                if (fields[i][strcspn(fields[i], "\r\n")])
                        return -EINVAL;
                text_printf(&t, "%s\r\n", fields[i]);
        }
        text_append(&t, streq(method, "PUT") ? "Content-Length: 0\r\n\r\n" : "\r\n");
        request = text_take(&t);
        if (!request)
                return -ENOMEM;
        fd = connect_to(&b, deadline);
        if (fd < 0)
                return fd;
        r = send_all(fd, request, strlen(request), deadline);
        return r < 0 ? r : receive(fd, deadline, ret);
}
