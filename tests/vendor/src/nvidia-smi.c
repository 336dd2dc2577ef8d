/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for nvidia-smi: opens every GPU, as the real one does whatever it is asked; lists them, and reads or sets what conf-compute has. */
#include "gpu.h"

static int set_ready(const char *mode, int ready) {
        if (gpu_fails("ready")) {
                puts("Unable to set Confidential Compute GPUs Ready State: Unknown Error");
                return 255;
        }
        if (gpu_set_state(mode, ready) < 0) {
                perror(GPU_STATE);
                return 1;
        }
        gpu_event(ready ? "ready state set" : "ready state taken away");
        printf("Successfully set Confidential Compute GPUs Ready State to %s.\n", ready ? "ready" : "not-ready");
        return 0;
}

static int conf_compute(int argc, char *argv[]) {
        char mode[64];
        int ready;

        gpu_state(mode, &ready);
        if (argc == 4 && strcmp(argv[2], "-srs") == 0)
                return set_ready(mode, argv[3][0] == '1');
        if (argc == 3 && strcmp(argv[2], "-grs") == 0)
                printf("Confidential Compute GPUs Ready state: %s\n", ready ? "ready" : "not-ready");
        else if (argc == 3 && strcmp(argv[2], "-f") == 0)
                printf("CC status: %s\n", strcmp(mode, "cc") == 0 ? "ON" : "OFF");
        else if (argc == 3 && strcmp(argv[2], "-mgm") == 0)
                printf("Multi-GPU Mode: %s\n", strcmp(mode, "ppcie") == 0 ? "Protected PCIe" : "None");
        else
                return 2;
        return 0;
}

int main(int argc, char *argv[]) {
        char version[64];

        gpu_program = "nvidia-smi";
        if (gpu_count() == 0 || gpu_load(version) < 0) {
                puts("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
                     "Make sure that the latest NVIDIA driver is installed and running.");
                return 9;
        }
        gpu_event("started");
        if (strcmp(version, GN8V_VERSION) != 0) {
                printf("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: %s\n", GN8V_VERSION);
                return 18;
        }
        if (gpu_attach_all() == 0) {
                puts("No devices were found");
                return 6;
        }
        if (argc > 2 && strcmp(argv[1], "conf-compute") == 0)
                return conf_compute(argc, argv);
        for (unsigned i = 0; i < gpu_count(); i++)
                printf("GPU %u: NVIDIA Look-alike (UUID: GPU-00000000-0000-0000-0000-%012x)\n", i, i + 1);
        return 0;
}
