/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for nvidia-persistenced: attaches one GPU after the other, waits for the fabric if it is to keep UVM, then holds all of them. */
#include "gpu.h"

#include "daemon.h"

/* As the real one: a try a second, here a hundredth; then a warning, and on with it. */
static void wait_for_fabric(unsigned i) {
        for (long waited = 0; access(GPU_DIR "/fabric", F_OK) < 0; waited += 10) {
                if (waited >= gpu_number("uvm-ms", 30000)) {
                        syslog(LOG_WARNING, "device 0000:%02x:00.0 - Could not Enable UVM Persistence mode becausethe NVLink fabric is not ready: 0x0", 0x10 + i);
                        return;
                }
                gpu_sleep(10);
        }
}

static int work(int argc, char *argv[]) {
        unsigned attached = 0;
        char version[64];
        bool uvm = false;

        for (int i = 1; i < argc; i++)
                uvm = uvm || strcmp(argv[i], "--uvm-persistence-mode") == 0;
        openlog("nvidia-persistenced", LOG_PID, LOG_DAEMON);
        syslog(LOG_NOTICE, "Started (%d)", (int) getpid());
        if (gpu_load(version) < 0) {
                syslog(LOG_ERR, "Failed to query NVIDIA devices. Please ensure that the NVIDIA device files (/dev/nvidia*) exist, and that user 0 has read and write permissions for those files.");
                return 1;
        }
        for (unsigned i = 0; i < gpu_count(); i++) {
                openlog("nvidia-persistenced", LOG_PID, LOG_DAEMON);
                syslog(LOG_INFO, "device 0000:%02x:00.0 - registered", 0x10 + i);
                if (gpu_attach(i) < 0) {
                        openlog("nvidia-persistenced", LOG_PID, LOG_DAEMON);
                        syslog(LOG_ERR, "device 0000:%02x:00.0 - failed to open.", 0x10 + i);
                        continue;
                }
                if (uvm && gpu_number("switches", 0) > 0)
                        wait_for_fabric(i);
                syslog(LOG_INFO, "device 0000:%02x:00.0 - persistence mode enabled.", 0x10 + i);
                attached++;
        }
        if (attached == 0) {
                syslog(LOG_ERR, "Unable to find any NVIDIA devices");
                return 1;
        }
        syslog(LOG_NOTICE, "Local RPC services initialized");
        return 0;
}

int main(int argc, char *argv[]) {
        gpu_program = "nvidia-persistenced";
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--version") == 0) {
                        puts("nvidia-persistenced:  version " GN8V_VERSION " (look-alike)");
                        return 0;
                }
        return daemon_run("/run/nvidia-persistenced", "nvidia-persistenced", work, argc, argv);
}
