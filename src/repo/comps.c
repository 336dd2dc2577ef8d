/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/comps.h"

#include "basic/strings.h"

char *comps_render(bool (*has)(const void *data, const char *name), const void *data, char *const *metapackages) {
        _cleanup_text_ Text t = {};

        text_append(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n"
                        "<comps>\n  <group>\n    <id>gn8v-tee</id>\n    <name>Confidential GPU</name>\n"
                        "    <description>NVIDIA confidential computing on gn8v-tee instances. Take one of the metapackages.</description>\n"
                        "    <default>false</default>\n    <uservisible>true</uservisible>\n    <packagelist>\n");
        if (has(data, "gn8v-tee"))
                text_append(&t, "      <packagereq type=\"mandatory\">gn8v-tee</packagereq>\n");
        STRV_FOREACH(s, metapackages)
                if (has(data, *s))
                        text_printf(&t, "      <packagereq type=\"optional\">%s</packagereq>\n", *s);
        text_append(&t, "    </packagelist>\n  </group>\n</comps>\n");
        return text_take(&t);
}
