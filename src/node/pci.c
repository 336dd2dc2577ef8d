/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pci.h"

#define DEVICES       "/sys/bus/pci/devices"
#define VENDOR_NVIDIA 0x10de
#define CLASS_VGA     0x0300 /* base class and subclass: PCI Code and ID Assignment Specification */
#define CLASS_3D      0x0302
#define CLASS_BRIDGE  0x0680 /* an NVSwitch is "another bridge" */

void pci_free(PciDevices *p) {
        strv_free(p->gpus);
        strv_free(p->nvswitches);
        *p = (PciDevices){};
}

/* "0x10de\n" */
static unsigned long read_hex(Node *n, const char *device, const char *file) {
        _cleanup_free_ char *path = format(DEVICES "/%s/%s", device, file), *text = NULL;

        return path && node_read(n, path, 64, &text, NULL) >= 0 ? strtoul(text, NULL, 16) : 0;
}

int pci_list(Node *n, PciDevices *ret) {
        _cleanup_strv_ char **names = NULL;
        _cleanup_pci_ PciDevices p = { .hidden = !node_exists(n, DEVICES) };
        int k = node_list(n, DEVICES, &names);

        if (k < 0)
                return k;
        STRV_FOREACH(name, names) {
                unsigned long class;

                if (read_hex(n, *name, "vendor") != VENDOR_NVIDIA)
                        continue;
                class = read_hex(n, *name, "class") >> 8;
                if (class == CLASS_VGA || class == CLASS_3D)
                        k = strv_append(&p.gpus, *name);
                else if (class == CLASS_BRIDGE)
                        k = strv_append(&p.nvswitches, *name);
                if (k < 0)
                        return k;
        }
        *ret = p;
        p = (PciDevices){};
        return 0;
}
