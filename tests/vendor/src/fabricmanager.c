/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for nv-fabricmanager: wants the very driver that it was made for, and NVSwitches; then takes its time. */
#include "gpu.h"

#include "daemon.h"

static int work(int argc, char *argv[]) {
        char loaded[64], sees[64];
        const char *own;

        openlog("nv-fabricmanager", LOG_PID, LOG_DAEMON);
        syslog(LOG_INFO, "Fabric Manager version %s is running with the following configuration options", GN8V_VERSION);
        if (gpu_load(loaded) < 0) {
                syslog(LOG_ERR, "request to query NVSwitch device information from NVSwitch driver failed with error:WARNING Driver not loaded");
                return 1;
        }
        own = gpu_config("fm-driver", sees, sizeof sees);
        if (strcmp(own ? own : GN8V_VERSION, loaded) != 0) {
                syslog(LOG_ERR, "fabric manager NVIDIA GPU driver interface version %s don't match with driver version %s. Please update with matching NVIDIA driver package.",
                       own ? own : GN8V_VERSION, loaded);
                return 1;
        }
        if (gpu_number("switches", 0) == 0) {
                syslog(LOG_ERR, "request to query NVSwitch device information from NVSwitch driver failed with error:WARNING Nothing to do [NV_WARN_NOTHING_TO_DO]");
                return 1;
        }
        gpu_sleep(gpu_number("fabric-ms", 0));
        if (!gpu_fails("fabric"))
                gpu_write("fabric", "we", "completed");
        syslog(LOG_INFO, "Successfully configured all the available NVSwitches to route GPU NVLink traffic.");
        return 0;
}

int main(int argc, char *argv[]) {
        gpu_program = "nv-fabricmanager";
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-v") == 0) {
                        puts("Fabric Manager version is : " GN8V_VERSION);
                        return 0;
                }
        return daemon_run("/run/nvidia-fabricmanager", "nv-fabricmanager", work, argc, argv);
}
