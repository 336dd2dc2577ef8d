/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/comps.h"

static bool has(const Generation *g, const char *name) {
        for (size_t i = 0; i < g->n_packages; i++)
                if (streq(g->packages[i]->name, name))
                        return true;
        return false;
}

char *comps_render(const Generation *g, char *const *metapackages) {
        _cleanup_text_ Text t = {};

        text_append(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<!DOCTYPE comps PUBLIC \"-//Red Hat, Inc.//DTD Comps info//EN\" \"comps.dtd\">\n"
                        "<comps>\n  <group>\n    <id>gn8v-tee</id>\n    <name>Confidential GPU</name>\n"
                        "    <description>NVIDIA confidential computing on gn8v-tee instances. Take one of the metapackages.</description>\n"
                        "    <default>false</default>\n    <uservisible>true</uservisible>\n    <packagelist>\n");
        if (has(g, "gn8v-tee"))
                text_append(&t, "      <packagereq type=\"mandatory\">gn8v-tee</packagereq>\n");
        STRV_FOREACH(s, metapackages)
                if (has(g, *s))
                        text_printf(&t, "      <packagereq type=\"optional\">%s</packagereq>\n", *s);
        text_append(&t, "    </packagelist>\n  </group>\n</comps>\n");
        return text_take(&t);
}
