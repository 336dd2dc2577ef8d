/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of exit codes, for every program of the suite; gn8v-tee(8), gn8v-tee-repo(1) and gn8v-tee-attest(1) print it. Never renumber. */
#pragma once

typedef enum ExitCode {
        EXIT_OK          = 0,  /* done; the state is as wanted */
        EXIT_FAILED      = 1,  /* an operation failed */
        EXIT_USAGE       = 2,  /* wrong words on the command line */
        EXIT_DIFFERS     = 3,  /* not as wanted: changes to make, or a check failed */
        EXIT_REBOOT      = 4,  /* as configured, but a reboot (or waiting) is needed first */
        EXIT_UNTRUSTED   = 5,  /* digest, signature or key is not the one expected */
        EXIT_INVALID     = 6,  /* an input file is malformed */
        EXIT_UNREACHABLE = 7,  /* a source could not be reached */
        EXIT_NO_SPACE    = 8,  /* disk full, or too little free space */
        EXIT_LOCKED      = 9,  /* another run holds the lock */
        EXIT_UNSOLVABLE  = 10, /* a package set does not install or upgrade */
        EXIT_UNCHECKED   = 11, /* could not be checked: neither right nor wrong */
        EXIT_POLICY      = 12, /* trusted, but a policy file refuses it */
} ExitCode;
