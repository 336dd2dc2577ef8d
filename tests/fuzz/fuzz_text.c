/* SPDX-License-Identifier: Apache-2.0 */
/* Small texts of anybody: armor, numbers, dates, words for a terminal, the tags of repomd.xml. What is taken comes back the same. */
#include "basic/armor.h"
#include "basic/strings.h"
#include "release/freshness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = strndup((const char *) data, size), *date = NULL, *armored = NULL;
        _cleanup_free_ void *packets = NULL, *again = NULL;
        Freshness f = {};
        uint64_t number;
        int64_t t, t2;
        size_t n, m;

        if (!text)
                return 0;
        if (openpgp_dearmor(text, &packets, &n) >= 0) {
                if (!openpgp_armor_is_whole(text) || !(armored = openpgp_armor("SIGNATURE", packets, n)) || openpgp_dearmor(armored, &again, &m) < 0 ||
                    m != n || memcmp(packets, again, n) != 0)
                        abort();
        }
        if (parse_time(text, &t) >= 0 && (!(date = time_to_text(t)) || parse_time(date, &t2) < 0 || t != t2))
                abort();
        (void) parse_date(text, &t);
        (void) parse_u64(text, &number);
        if (freshness_take(&f, text) > 0 && f.serial == 0 && f.expires <= 0)
                abort();
        if (f.expires > 0)
                free(freshness_date(f.expires));
        text_clean(text, 100);
        if (strlen(text) > 100)
                abort();
        for (const char *p = text; *p; p++)
                if ((unsigned char) *p < ' ' || *p == 0x7f)
                        abort();
        return 0;
}
