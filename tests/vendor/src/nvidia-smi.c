/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for nvidia-smi: the conf-compute queries are answered from a state file that -srs changes; all else says that there is no driver. */
#include <stdio.h>
#include <string.h>

#define STATE "/run/nvidia-look-alike"

static void read_state(char mode[64], int *ret_ready) {
        FILE *f = fopen(STATE, "re");

        strcpy(mode, "none");
        *ret_ready = 0;
        if (!f)
                return;
        if (fscanf(f, "%63s %d", mode, ret_ready) < 1)
                strcpy(mode, "none");
        fclose(f);
}

static int set_ready(const char *mode, int ready) {
        FILE *f = fopen(STATE, "we");

        if (!f) {
                perror(STATE);
                return 1;
        }
        fprintf(f, "%s %d\n", mode, ready);
        fclose(f);
        printf("Successfully set Confidential Compute GPUs Ready State to %s.\n", ready ? "ready" : "not-ready");
        return 0;
}

int main(int argc, char *argv[]) {
        char mode[64];
        int ready;

        if (argc < 3 || strcmp(argv[1], "conf-compute") != 0) {
                puts("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
                     "Make sure that the latest NVIDIA driver is installed and running.");
                return 9;
        }
        read_state(mode, &ready);
        if (strcmp(argv[2], "-srs") == 0 && argc == 4)
                return set_ready(mode, argv[3][0] == '1');
        if (strcmp(argv[2], "-grs") == 0)
                printf("Confidential Compute GPUs Ready state: %s\n", ready ? "ready" : "not-ready");
        else if (strcmp(argv[2], "-f") == 0)
                printf("CC status: %s\n", strcmp(mode, "cc") == 0 ? "ON" : "OFF");
        else if (strcmp(argv[2], "-mgm") == 0)
                printf("Multi-GPU Mode: %s\n", strcmp(mode, "ppcie") == 0 ? "Protected PCIe" : "None");
        else
                return 2;
        return 0;
}
